import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOfBytes } from "../store/digests.ts";
import { S3Bucket } from "../store/s3-bucket.ts";
import type { S3Options } from "../store/s3-requests.ts";

/** The smallest part that S3 takes. */
const PART_BYTES = 5 * 1024 ** 2;
const FILE_BYTES = 2 * PART_BYTES + 1;
const PATIENCE_MILLISECONDS = 10_000;
/** Long enough for the clocks of both sides to differ. */
const SOON_MILLISECONDS = 24 * 3_600_000;

/** How a step went; without a problem it works. */
export interface TriedStep {
  readonly what: string;
  readonly problem?: string;
}

/**
 * Does with a bucket what servers and workers do, under a prefix of its own, and removes it again. Those that go on from
 * a step that failed are tried nevertheless: each may be a permission of its own. Fails with INVALID_CONFIGURATION when
 * the bucket cannot be written to.
 */
export async function* tryStorage(
  options: Omit<S3Options, "patienceMilliseconds">,
): AsyncGenerator<TriedStep> {
  const folder = await mkdtemp(join(tmpdir(), "antidote-storage-"));
  try {
    const bucket = await S3Bucket.open({
      ...options,
      prefix: `${options.prefix}/check-${randomUUID()}`,
      partBytes: PART_BYTES,
      patienceMilliseconds: PATIENCE_MILLISECONDS,
    });
    for (const [what, step] of stepsOf(bucket, await filesIn(folder))) {
      const problem = await step().then(
        (works) => (works ? undefined : "it answers something else than it should"),
        ({ message }: Error) => message,
      );
      yield problem === undefined ? { what } : { what, problem };
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A few bytes, many, and where to put what comes back. */
async function filesIn(folder: string) {
  const [small, large, back] = ["small", "large", "back"].map((name) => join(folder, name));
  const [few, many] = [randomBytes(100), randomBytes(FILE_BYTES)];
  await writeFile(small, few);
  await writeFile(large, many);
  return { small, large, back, few, many };
}

type Step = readonly [what: string, step: () => Promise<boolean>];

function stepsOf(bucket: S3Bucket, files: Awaited<ReturnType<typeof filesIn>>): Step[] {
  const { small, large, back, few, many } = files;
  const cameBack = async (key: string, bytes: Buffer) =>
    (await bucket.download(key, back, digestOfBytes(bytes))) && (await readFile(back)).equals(bytes);
  return [
    ["tells that an object is not there (ListBucket)", async () => !(await bucket.has("nothing"))],
    [
      "stores an object and gives it back (PutObject, GetObject)",
      async () => {
        await bucket.upload("small", small, digestOfBytes(few));
        return cameBack("small", few);
      },
    ],
    ["gives its first byte (a range)", async () => (await bucket.firstByte("small")) === few[0]],
    [
      "stores an object in parts and gives it back (CreateMultipartUpload, UploadPart)",
      async () => {
        await bucket.upload("large", large, digestOfBytes(many));
        return cameBack("large", many);
      },
    ],
    [
      "copies an object (CopyObject)",
      async () => (await bucket.copy("small", "copy")) && cameBack("copy", few),
    ],
    [
      "lists objects (ListObjectsV2)",
      async () => {
        const keys = await bucket.list("");
        return ["copy", "large", "small"].every((key) => keys.includes(key));
      },
    ],
    [
      "lists unfinished uploads (ListMultipartUploads); where it does not, those of killed processes stay",
      async () => {
        await bucket.abortUploads(new Date(Date.now() + SOON_MILLISECONDS));
        return true;
      },
    ],
    [
      "removes objects (DeleteObject)",
      async () => {
        // One that could not be listed is removed by its name all the same.
        for (const key of ["probe", "small", "large", "copy"]) await bucket.remove(key);
        return !(await bucket.has("small"));
      },
    ],
  ];
}
