import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readConfig, type S3Config } from "../config.ts";
import { AppError } from "../errors.ts";
import { digestOfBytes } from "../store/digests.ts";
import { S3Bucket } from "../store/s3-bucket.ts";
import { EXIT } from "./command.ts";

/** The smallest part that S3 takes. */
const PART_BYTES = 5 * 1024 ** 2;
const FILE_BYTES = 2 * PART_BYTES + 1;
const PATIENCE_MILLISECONDS = 10_000;
/** Long enough for the clocks of both sides to differ. */
const SOON_MILLISECONDS = 24 * 3_600_000;

/** Does with the bucket of the settings what servers and workers do, and tells how each step went. */
export async function checkStorage(): Promise<number> {
  const { s3 } = readConfig(process.env);
  if (!s3)
    throw new AppError(
      "INVALID_CONFIGURATION",
      "Without S3_BUCKET the files are in the folders DATA_DIR and MODELS_DIR, and there is no bucket to try.",
    );
  const folder = await mkdtemp(join(tmpdir(), "antidote-storage-"));
  try {
    const failed = await tryAll(s3, folder);
    say(failed === 0 ? "The storage does what is asked of it." : `${failed} of the steps failed.`);
    return failed === 0 ? EXIT.done : EXIT.failed;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** How many steps failed. Those that go on from a step are tried nevertheless: each may be a permission of its own. */
async function tryAll(s3: S3Config, folder: string): Promise<number> {
  const bucket = await S3Bucket.open({
    ...s3,
    prefix: `${s3.prefix}/check-${randomUUID()}`,
    partBytes: PART_BYTES,
    patienceMilliseconds: PATIENCE_MILLISECONDS,
  });
  let failed = 0;
  for (const [what, step] of stepsOf(bucket, await filesIn(folder))) {
    const problem = await step().then(
      (works) => (works ? undefined : "it answers something else than it should"),
      ({ message }: Error) => message,
    );
    if (problem !== undefined) failed++;
    say(
      `${problem === undefined ? "works " : "FAILED"}  ${what}${problem === undefined ? "" : `: ${problem}`}`,
    );
  }
  return failed;
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

const say = (line: string): void => void process.stdout.write(`${line}\n`);
