import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { type DownloadProgress, downloadFiles } from "../../../src/services/hub/download.ts";
import { listRepository } from "../../../src/services/hub/listing.ts";
import { type HubOptions, HubRequests } from "../../../src/services/hub/requests.ts";
import { parseRetryAfter } from "../../../src/services/hub/retrying.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { COMMIT, type HubServer, type Repository, startHub } from "./hub-server.ts";

const REPOSITORY = "owner/model";
const ADDRESS = { repository: REPOSITORY, revision: "main", path: "" };
const large = Uint8Array.from({ length: 50_000 }, (_, index) => (index * index) % 251);
const small = new TextEncoder().encode('{"embed_dim": 4}');
const files = { "weights.bin": large, "sub/config.json": small };

async function hubWith(changes: Partial<Repository> = {}): Promise<HubServer> {
  return startHub({ [REPOSITORY]: { files, ...changes } });
}

interface Retry {
  readonly reason: string;
  readonly milliseconds: number;
}

interface Outcome {
  readonly folder: string;
  readonly retries: Retry[];
  readonly progress: DownloadProgress[];
}

async function download(
  hub: HubServer,
  folder = temporaryFolder(),
  options: Partial<HubOptions> = {},
): Promise<Outcome> {
  const retries: Retry[] = [];
  const progress: DownloadProgress[] = [];
  const requests = new HubRequests({
    endpoint: hub.url,
    firstWait: 1,
    onRetry: (reason, milliseconds) => retries.push({ reason, milliseconds }),
    ...options,
  });
  const listing = await listRepository(requests, ADDRESS);
  await downloadFiles(requests, listing, listing.files, folder, (state) => progress.push(state));
  return { folder, retries, progress };
}

const read = (folder: string, file: string) => new Uint8Array(readFileSync(join(folder, file)));

/** How much of what was sent before a cut has arrived is up to the network, but all of it is in its place. */
const expectBeginning = (part: Uint8Array) => expect(part).toEqual(large.subarray(0, part.length));

const rejection = (step: Promise<unknown>) =>
  step.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("a repository", () => {
  test("is listed with the commit, sizes and digests of its files", async () => {
    const hub = await hubWith();
    const requests = new HubRequests({ endpoint: hub.url });
    const listing = await listRepository(requests, { ...ADDRESS, revision: "refs/pr/1" });
    expect(listing.commit).toBe(COMMIT);
    expect(listing.files).toMatchObject([
      { path: "weights.bin", bytes: 50_000, digest: { kind: "sha256" } },
      { path: "sub/config.json", bytes: small.length, digest: { kind: "git" } },
    ]);
    expect(hub.requests[0]!.path).toBe(`api/models/${REPOSITORY}/revision/refs/pr/1`);
  });

  test.each(["../evil", "/etc/passwd", "a/../../b", "c:\\x", "a\\b", "a//b", "x\u0000y"])(
    "that lists %j is not touched",
    async (name) => {
      const hub = await startHub({ [REPOSITORY]: { files: { ...files, [name]: small } } });
      const folder = temporaryFolder();
      expect(await rejection(download(hub, folder))).toMatchObject({ code: "UNSAFE_ARTIFACT" });
      expect(readdirSync(folder)).toEqual([]);
    },
  );

  test("that does not exist, or not at that revision, is NOT_FOUND with what to do", async () => {
    const hub = await hubWith();
    const requests = new HubRequests({ endpoint: hub.url });
    const unknown = await rejection(listRepository(requests, { ...ADDRESS, repository: "owner/nothing" }));
    expect(unknown).toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringContaining(`${hub.url}/owner/nothing`),
    });
    const revision = await rejection(listRepository(requests, { ...ADDRESS, revision: "v9" }));
    expect(revision).toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringContaining('no revision "v9"'),
    });
  });

  test("that is gated says how to get access", async () => {
    const hub = await hubWith({ token: "right" });
    for (const token of [undefined, "wrong"])
      expect(await rejection(download(hub, undefined, { token }))).toMatchObject({
        code: "FORBIDDEN",
        message: expect.stringMatching(/gated.*Accept its conditions.*HF_TOKEN/),
      });
  });

  test("is asked with the token, but where the hub redirects to is not told it", async () => {
    const elsewhere = await hubWith();
    const location = `${elsewhere.url}/cdn/${REPOSITORY}/resolve/${COMMIT}/weights.bin`;
    const hub = await hubWith({
      token: "right",
      behaviours: { "weights.bin": [{ kind: "redirect", location }] },
    });
    await download(hub, undefined, { token: "right" });
    expect(new Set(hub.requests.map(({ authorization }) => authorization))).toEqual(
      new Set(["Bearer right"]),
    );
    expect(elsewhere.requests).toMatchObject([{ authorization: undefined }]);
  });

  test("behind an address that is no hub says so", async () => {
    const hub = await hubWith();
    const requests = new HubRequests({ endpoint: `${hub.url}/elsewhere` });
    expect(await rejection(listRepository(requests, ADDRESS))).toMatchObject({ code: "NOT_FOUND" });
    for (const endpoint of ["http://hub.example", "ftp://127.0.0.1", "hub", "https://user@hub.example"])
      expect(() => new HubRequests({ endpoint })).toThrow(
        expect.objectContaining({ code: "INVALID_CONFIGURATION" }),
      );
  });
});

describe("a download", () => {
  test("arrives whole, with progress, and is not fetched again", async () => {
    const hub = await hubWith();
    const { folder, progress } = await download(hub);
    expect(read(folder, "weights.bin")).toEqual(large);
    expect(read(folder, "sub/config.json")).toEqual(small);
    expect(progress.at(-1)).toMatchObject({ doneBytes: 50_016, totalBytes: 50_016 });
    const asked = hub.requests.length;
    await download(hub, folder);
    expect(hub.requests.slice(asked).map(({ path }) => path)).toEqual([expect.stringContaining("api/")]);
  });

  test("that is cut goes on after what has arrived", async () => {
    const hub = await hubWith({
      behaviours: {
        "weights.bin": [{ kind: "cut", after: 20_000 }, { kind: "cut", after: 10_000 }, { kind: "whole" }],
      },
    });
    const { folder, retries } = await download(hub);
    expect(read(folder, "weights.bin")).toEqual(large);
    expect(retries).toHaveLength(2);
  });

  test("asks only for what an earlier run has not got", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "weights.bin.part"), large.subarray(0, 20_000));
    const hub = await hubWith();
    const { progress } = await download(hub, folder);
    expect(read(folder, "weights.bin")).toEqual(large);
    expect(hub.requests.map(({ range }) => range)).toContain("bytes=20000-");
    expect(progress[0]).toMatchObject({ file: "weights.bin", doneBytes: 20_000 });
    expect(existsSync(join(folder, "weights.bin.part"))).toBe(false);
  });

  test("keeps what it has when it gives up", async () => {
    const hub = await hubWith({
      behaviours: {
        "weights.bin": [
          { kind: "cut", after: 20_000 },
          { kind: "status", status: 503 },
        ],
      },
    });
    const folder = temporaryFolder();
    expect(await rejection(download(hub, folder))).toMatchObject({
      code: "DOWNLOAD_FAILED",
      message: expect.stringMatching(/503.*6 times.*kept/),
    });
    expectBeginning(read(folder, "weights.bin.part"));
  });

  test("that was stopped leaves its part for the next", async () => {
    const hub = await hubWith({ behaviours: { "weights.bin": [{ kind: "cut", after: 30_000 }] } });
    const folder = temporaryFolder();
    const stop = new AbortController();
    const failure = rejection(download(hub, folder, { signal: stop.signal, onRetry: () => stop.abort() }));
    expect(await failure).toMatchObject({ code: "CANCELLED" });
    expectBeginning(read(folder, "weights.bin.part"));
  });

  test("starts over where ranges are not understood, or the part is not one", async () => {
    const hub = await hubWith({
      behaviours: { "weights.bin": [{ kind: "no ranges" }] },
    });
    const begun = temporaryFolder();
    writeFileSync(join(begun, "weights.bin.part"), large.subarray(0, 20_000));
    await download(hub, begun);
    expect(read(begun, "weights.bin")).toEqual(large);
    for (const part of [new Uint8Array(60_000), new Uint8Array(50_000), new Uint8Array(100)]) {
      const folder = temporaryFolder();
      writeFileSync(join(folder, "weights.bin.part"), part);
      await download(await hubWith(), folder);
      expect(read(folder, "weights.bin")).toEqual(large);
    }
  });

  test("waits as long as it is asked to", async () => {
    const hub = await hubWith({
      behaviours: {
        "weights.bin": [
          { kind: "status", status: 429, headers: { "retry-after": "0" } },
          { kind: "status", status: 500 },
          { kind: "whole" },
        ],
      },
    });
    const { retries } = await download(hub);
    expect(retries).toEqual([
      { reason: "the hub asks for fewer requests", milliseconds: 0 },
      { reason: "the hub answered 500", milliseconds: 2 },
    ]);
  });

  test("does not wait for a connection that says nothing", async () => {
    const hub = await hubWith({ behaviours: { "weights.bin": [{ kind: "silence" }, { kind: "whole" }] } });
    const { folder, retries } = await download(hub, undefined, { idleMilliseconds: 1_000 });
    expect(read(folder, "weights.bin")).toEqual(large);
    expect(retries).toHaveLength(1);
  });

  test.each(["weights.bin", "sub/config.json"])(
    "of %s with other bytes than listed is deleted",
    async (file) => {
      const hub = await hubWith({ digests: { [file]: "0".repeat(file === "weights.bin" ? 64 : 40) } });
      const folder = temporaryFolder();
      expect(await rejection(download(hub, folder))).toMatchObject({
        code: "UNSAFE_ARTIFACT",
        details: { file },
      });
      expect(existsSync(join(folder, file)) || existsSync(join(folder, `${file}.part`))).toBe(false);
    },
  );

  test.each(["http://192.0.2.1/x", "ftp://127.0.0.1/x", "file:///etc/passwd", "http://"])(
    "is not taken from %s",
    async (location) => {
      const hub = await hubWith({ behaviours: { "weights.bin": [{ kind: "redirect", location }] } });
      expect(await rejection(download(hub))).toMatchObject({ code: "UNSAFE_ARTIFACT" });
    },
  );

  test("does not follow a circle", async () => {
    const hub = await hubWith({
      behaviours: {
        "weights.bin": [{ kind: "redirect", location: `/cdn/${REPOSITORY}/resolve/${COMMIT}/weights.bin` }],
      },
    });
    expect(await rejection(download(hub))).toMatchObject({ code: "DOWNLOAD_FAILED" });
  });
});

test.each([
  ["3", 3000],
  ["Thu, 01 Jan 1970 00:00:07 GMT", 6000],
  ["99999", 300_000],
  ["soon", undefined],
  [null, undefined],
])("Retry-After %j means %j ms", (value, milliseconds) => {
  expect(parseRetryAfter(value, 1000)).toBe(milliseconds);
});
