import { describe, expect, test } from "@jest/globals";
import type { JobStatus } from "../../src/jobs/job.ts";
import { blobReferences } from "../../src/services/blob-references.ts";
import { RECORD_FORMAT } from "../../src/store/versioned-store.ts";

const DAY_MILLISECONDS = 24 * 3_600_000;
const NOW = new Date("2030-01-31T00:00:00Z");
const referencesOf = blobReferences(30 * DAY_MILLISECONDS, () => NOW);

const [IMAGE, FITTED, DATASET, ARTIFACT] = ["a", "b", "c", "d"].map((sign) => `sha256:${sign.repeat(64)}`);
const namedBy = (key: string, value: unknown): string =>
  JSON.stringify(referencesOf({ key, value, revision: 1 }));

describe("a job's record", () => {
  const named = (status: JobStatus, daysAgo?: number, more: object = {}) =>
    namedBy("tenants/acme/jobs/7f3a", {
      id: "7f3a",
      status,
      spec: { shots: [{ blob: IMAGE, label: 0 }] },
      finishedAt:
        daysAgo === undefined
          ? undefined
          : new Date(NOW.getTime() - daysAgo * DAY_MILLISECONDS).toISOString(),
      ...more,
    });

  test.each<JobStatus>(["QUEUED", "VALIDATING", "RUNNING", "CANCELLING"])(
    "names its images while it is %s, however old it is",
    (status) => {
      expect(named(status)).toContain(IMAGE);
    },
  );

  test.each<JobStatus>(["FAILED", "CANCELLED"])("names them while it is %s and can be resumed", (status) => {
    expect(named(status, 29)).toContain(IMAGE);
    expect(named(status, 31)).not.toContain(IMAGE);
  });

  test("names them no more when it has succeeded, but what it has made", () => {
    const text = named("SUCCEEDED", 0, { result: { fitted: FITTED } });
    expect(text).not.toContain(IMAGE);
    expect(text).toContain(FITTED);
  });

  test("is taken whole when a newer version has written it, and when it is none", () => {
    expect(named("SUCCEEDED", 0, { recordFormat: RECORD_FORMAT + 1 })).toContain(IMAGE);
    const value = { status: "SUCCEEDED", spec: IMAGE };
    for (const key of ["tenants/acme/jobs/7f3a/more", "tenants/acme/kept-jobs/7f3a", "jobs/7f3a"])
      expect(namedBy(key, value)).toContain(IMAGE);
  });
});

describe("a version's record", () => {
  const artifact = { digest: ARTIFACT, bytes: 1 };

  test.each([
    ["today's", { source: { kind: "cbpt", dataset: DATASET } }],
    ["that of a defence", { source: { kind: "defence", dataset: DATASET, parameters: {} } }],
    ["the first", { format: "antidote-prompts-1", dataset: DATASET, config: {} }],
  ])("names its artifact, and not the data set that it was made with: %s", (_, manifest) => {
    const text = namedBy("tenants/acme/versions/0f", { artifact, manifest });
    expect(text).toContain(ARTIFACT);
    expect(text).not.toContain(DATASET);
  });

  test("everything else of it counts", () => {
    const manifest = { source: { kind: "coop", file: DATASET } };
    expect(namedBy("tenants/acme/versions/0f", { artifact, manifest })).toContain(DATASET);
  });
});

test("any other record names all that it holds", () => {
  expect(namedBy("tenants/acme/datasets/shots", { digest: DATASET })).toContain(DATASET);
  expect(namedBy("kinds/of/tomorrow", IMAGE)).toContain(IMAGE);
  expect(referencesOf({ key: "nothing", value: null, revision: 1 })).toBeNull();
});
