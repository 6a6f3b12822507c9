import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "@jest/globals";
import { digestOfBytes } from "../../src/store/digests.ts";
import { S3Bucket } from "../../src/store/s3-bucket.ts";
import type { S3Options } from "../../src/store/s3-requests.ts";
import { type Mishap, withS3 } from "../support/s3-server.ts";
import { LEAST_PART_BYTES } from "../support/s3-uploads.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const s3 = withS3();
const open = (options: Partial<S3Options> = {}) =>
  S3Bucket.open({ ...s3().options(), partBytes: LEAST_PART_BYTES, ...options });

/** A file of three parts, the last of them small. */
function makeFile() {
  const bytes = randomBytes(2 * LEAST_PART_BYTES + 1);
  const path = join(temporaryFolder(), "file");
  writeFileSync(path, bytes);
  return { bytes, path, digest: digestOfBytes(bytes) };
}

const stored = (key: string) => readFileSync(s3().path(key));
/** What was asked for an object beside whether it is there, without its key. */
const asked = (key: string) =>
  s3()
    .log.filter((line) => line.includes(` test/${key}?`) && !line.startsWith("HEAD"))
    .map((line) => line.replace(` test/${key}?`, " "));
const part = (number: number) => `PUT partNumber=${number}`;

describe("a large file", () => {
  afterEach(() => {
    s3().mishapOf = () => undefined;
  });

  test("is stored in parts, and is fetched whole; one that fits into a part is sent at once", async () => {
    const bucket = await open();
    const { bytes, path, digest } = makeFile();
    await bucket.upload("large", path, digest);
    expect(stored("large")).toEqual(bytes);
    expect(asked("large")).toEqual(["POST uploads=", part(1), part(2), part(3), "POST "]);
    const fetched = join(temporaryFolder(), "fetched");
    expect(await bucket.download("large", fetched, digest)).toBe(true);
    expect(readFileSync(fetched)).toEqual(bytes);
    const small = bytes.subarray(0, LEAST_PART_BYTES);
    writeFileSync(path, small);
    await bucket.upload("small", path, digestOfBytes(small));
    expect(asked("small")).toEqual(["PUT "]);
    expect(s3().uploads.size).toBe(0);
  });

  test("that is there already is not sent again", async () => {
    const bucket = await open();
    const { path, digest } = makeFile();
    await bucket.upload("twice", path, digest);
    const before = asked("twice");
    await bucket.upload("twice", path, digest);
    expect(asked("twice")).toEqual(before);
  });

  test("a part that fails is sent again, and no other", async () => {
    const { bytes, path, digest } = makeFile();
    const mishaps = new Map<string, Mishap[]>([
      [part(2), ["refused", "unanswered"]],
      [part(3), ["unanswered"]],
    ]);
    s3().mishapOf = (line) => mishaps.get(line.replace(" test/again?", " "))?.shift();
    await (await open()).upload("again", path, digest);
    expect(stored("again")).toEqual(bytes);
    const parts = [part(1), part(2), part(2), part(2), part(3), part(3)];
    expect(asked("again")).toEqual(["POST uploads=", ...parts, "POST "]);
  });

  test("a completion whose answer was lost has happened", async () => {
    const { bytes, path, digest } = makeFile();
    let answered = false;
    s3().mishapOf = (line) => {
      if (answered || line !== "POST test/lost?") return undefined;
      answered = true;
      return "unanswered";
    };
    await (await open()).upload("lost", path, digest);
    expect(stored("lost")).toEqual(bytes);
    expect(asked("lost").slice(-2)).toEqual(["POST ", "POST "]);
  });

  test("a completion that fails after it was answered with success is asked for again", async () => {
    const { bytes, path, digest } = makeFile();
    s3().uploads.failsLate = true;
    await (await open()).upload("late", path, digest);
    expect(stored("late")).toEqual(bytes);
    expect(asked("late").slice(-2)).toEqual(["POST ", "POST "]);
  });

  test("whose bytes are not those of its digest is not stored, and leaves no parts", async () => {
    const { path } = makeFile();
    const other = digestOfBytes(Buffer.from("other"));
    await expect((await open()).upload("changed", path, other)).rejects.toThrow("has changed");
    expect(existsSync(s3().path("changed"))).toBe(false);
    expect(asked("changed").at(-1)).toBe("DELETE ");
    expect(s3().uploads.size).toBe(0);
  });

  test("is refused where its parts are too small for the storage", async () => {
    const { path, digest } = makeFile();
    const bucket = await open({ partBytes: LEAST_PART_BYTES - 1 });
    await expect(bucket.upload("crumbs", path, digest)).rejects.toThrow("EntityTooSmall");
    expect(existsSync(s3().path("crumbs"))).toBe(false);
    expect(s3().uploads.size).toBe(0);
  });

  test("uploads that nobody finishes are given up once they are old, and those of others never", async () => {
    const [bucket, another] = await Promise.all([
      open({ patienceMilliseconds: 0 }),
      open({ patienceMilliseconds: 0, prefix: "another" }),
    ]);
    const { path, digest } = makeFile();
    // As after a kill: nothing more comes, neither the next part nor word that none will.
    s3().mishapOf = (line) =>
      line.endsWith(part(2).slice(4)) || line.startsWith("DELETE") ? "refused" : undefined;
    for (const key of ["files/a", "files/b", "files/c"])
      await expect(bucket.upload(key, path, digest)).rejects.toMatchObject({ code: "OVERLOADED" });
    await expect(another.upload("files/a", path, digest)).rejects.toMatchObject({ code: "OVERLOADED" });
    s3().mishapOf = () => undefined;
    const hour = 3_600_000;
    await bucket.abortUploads(new Date(Date.now() - hour));
    expect(s3().uploads.size).toBe(4);
    await bucket.abortUploads(new Date(Date.now() + hour));
    expect(s3().uploads.size).toBe(1);
    await another.abortUploads(new Date(Date.now() + hour));
    expect(s3().uploads.size).toBe(0);
  });
});
