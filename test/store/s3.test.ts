import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { FileBlobStore } from "../../src/store/blobs.ts";
import { SharedDepot } from "../../src/store/depot.ts";
import { digestOfBytes } from "../../src/store/digests.ts";
import { S3BlobStore } from "../../src/store/s3-blobs.ts";
import { S3Bucket } from "../../src/store/s3-bucket.ts";
import { S3Depot } from "../../src/store/s3-depot.ts";
import { CuttableLink } from "../support/cuttable-link.ts";
import { withS3 } from "../support/s3-server.ts";
import { sign } from "../support/s3-signature.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { describeBlobs } from "./blob-contract.ts";
import { CONTENTS, describeDepot, makeFolder } from "./depot-contract.ts";
import { describeSweptBlobs } from "./swept-blobs-contract.ts";

const s3 = withS3();

const openBlobs = async (folder = temporaryFolder(), options = s3().options()) =>
  new S3BlobStore(await S3Bucket.open(options), await FileBlobStore.open(folder));
const openDepot = async (cache = temporaryFolder()) =>
  new S3Depot(await S3Bucket.open(s3().options()), await openBlobs(), cache);

describeBlobs("S3BlobStore", () => openBlobs());
describeSweptBlobs("S3BlobStore", () => openBlobs());
describeDepot("S3Depot", () => openDepot());
describeDepot("SharedDepot", async () => new SharedDepot());

const bytes = Buffer.from("kept in the bucket");
const digest = digestOfBytes(bytes);

describe("S3BlobStore", () => {
  test("fetches a blob once, and has it while the storage is away", async () => {
    const link = await CuttableLink.to(s3().port);
    await (await openBlobs()).put(bytes);
    const options = { ...s3().options(link.port), patienceMilliseconds: 100 };
    const blobs = await openBlobs(temporaryFolder(), options);
    await blobs.get(digest);
    link.set("closed");
    link.cut();
    expect(Buffer.from(await blobs.get(digest)).toString()).toBe(bytes.toString());
    await expect(blobs.get(digestOfBytes(Buffer.from("another")))).rejects.toMatchObject({
      code: "OVERLOADED",
      details: { retryAfterMs: expect.any(Number) },
    });
    link.close();
  });

  test("a put is acknowledged only when it is in the storage, and waits while that restarts", async () => {
    const blobs = await openBlobs();
    await s3().kill();
    const putting = blobs.put(Buffer.from("patiently"));
    await s3().restart();
    const stored = await putting;
    expect(Buffer.from(await (await openBlobs()).get(stored)).toString()).toBe("patiently");
  });

  test("bytes that were damaged in the storage are refused, and not kept", async () => {
    await (await openBlobs()).put(bytes);
    const damaged = damage(digest);
    const cache = temporaryFolder();
    const blobs = await openBlobs(cache);
    await expect(blobs.get(digest)).rejects.toMatchObject({ code: "DOWNLOAD_FAILED" });
    expect(readdirSync(join(cache, "incoming"))).toEqual([]);
    damaged.restore();
    expect(Buffer.from(await blobs.get(digest)).toString()).toBe(bytes.toString());
  });
});

describe("S3BlobStore, where blobs are set aside", () => {
  const soon = () => new Date(Date.now() + 60_000);
  const put = async (text: string) => (await openBlobs()).put(Buffer.from(text));
  const hexOf = (stored: string) => stored.slice("sha256:".length);
  const textOf = async (stored: string) => Buffer.from(await (await openBlobs()).get(stored)).toString();

  test("a removal that is sent again after the blob was brought back takes nothing", async () => {
    const stored = await put("removed twice");
    const kept = s3().path(`blobs/${hexOf(stored)}`);
    let removals = 0;
    let broughtBack = false;
    s3().mishapOf = (request) => {
      if (!request.startsWith(`DELETE test/blobs/${hexOf(stored)}`)) return undefined;
      if (++removals === 1) return "unanswered";
      return broughtBack ? undefined : "refused";
    };
    const setting = (await openBlobs()).setAside(stored, soon());
    await until(() => removals > 0);
    expect(await (await openBlobs()).bringBack(stored)).toBe(true);
    expect(existsSync(kept)).toBe(true);
    broughtBack = true;
    await setting;
    s3().mishapOf = () => undefined;
    expect(removals).toBeGreaterThan(1);
    expect(existsSync(kept)).toBe(false);
    expect(await textOf(stored)).toBe("removed twice");
  });

  test("a copy that failed late is made again before anything is removed", async () => {
    const stored = await put("copied twice");
    s3().failsLate = true;
    expect(await (await openBlobs()).setAside(stored, soon())).toBe(true);
    expect(s3().failsLate).toBe(false);
    expect(await textOf(stored)).toBe("copied twice");
  });

  const openCached = async (folder: string) =>
    new S3BlobStore(
      await S3Bucket.open(s3().options()),
      await FileBlobStore.open(folder, { shared: true, cache: true }),
    );

  test("a folder that was the store itself before there was a bucket is no cache to be cleared", async () => {
    const folder = temporaryFolder();
    const before = await FileBlobStore.open(folder);
    const stored = await before.put(Buffer.from("only here"));
    utimesSync(await before.file(stored), 0, 0);
    await (await openCached(folder)).clearCache(soon());
    expect(existsSync(await before.file(stored))).toBe(true);
    // Nor is one that was a cache, and then the store.
    const other = temporaryFolder();
    await openCached(other);
    const between = await FileBlobStore.open(other);
    await between.put(Buffer.from("only here, later"));
    await (await openCached(other)).clearCache(soon());
    expect(Buffer.from(await between.get(digestOfBytes(Buffer.from("only here, later")))).toString()).toBe(
      "only here, later",
    );
  });

  test("a machine's cache loses what the bucket has no more, and keeps what is young or there", async () => {
    const cache = temporaryFolder();
    const blobs = await openCached(cache);
    const [gone, young, there] = await Promise.all(
      ["gone", "young", "there"].map((text) => blobs.put(Buffer.from(`cached, ${text}`))),
    );
    const cached = (of: string) => join(cache, hexOf(of).slice(0, 2), hexOf(of));
    for (const old of [gone, there]) utimesSync(cached(old), 0, 0);
    for (const removed of [gone, young]) {
      await blobs.setAside(removed, soon());
      await blobs.remove(removed, soon());
    }
    await blobs.clearCache(new Date(Date.now() - 60_000));
    expect([gone, young, there].map((of) => existsSync(cached(of)))).toEqual([false, true, true]);
    await expect(blobs.get(gone)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("S3Bucket", () => {
  test("the storage of these tests checks signatures: Amazon's published example", () => {
    const headers = {
      host: "examplebucket.s3.amazonaws.com",
      range: "bytes=0-9",
      "x-amz-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "x-amz-date": "20130524T000000Z",
    };
    const by = { secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", day: "20130524", region: "us-east-1" };
    const signature = sign(
      { method: "GET", path: "/test.txt", query: "", headers },
      { ...by, names: Object.keys(headers) },
    );
    expect(signature).toBe("f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  });

  test.each([
    ["a wrong secret", { secretAccessKey: "not-the-key" }, "SignatureDoesNotMatch"],
    ["an unknown account", { accessKeyId: "nobody" }, "InvalidAccessKeyId"],
    ["a bucket that is not there", { bucket: "nowhere" }, "NoSuchBucket"],
    [
      "an address where nothing listens",
      { endpoint: "http://127.0.0.1:1", patienceMilliseconds: 50 },
      "reached",
    ],
  ])("with %s the program does not start, and says why without the key", async (_, wrong, reason) => {
    const opening = S3Bucket.open({ ...s3().options(), ...wrong });
    await expect(opening).rejects.toMatchObject({
      code: "INVALID_CONFIGURATION",
      message: expect.stringContaining(reason),
    });
    await expect(opening).rejects.not.toThrow("not-the-key");
  });

  test("lists the keys that begin so, over all pages, and none of another prefix", async () => {
    const [bucket, another] = await Promise.all(
      ["test", "another"].map((prefix) => S3Bucket.open({ ...s3().options(), prefix })),
    );
    const path = join(temporaryFolder(), "file");
    writeFileSync(path, bytes);
    const keys = Array.from({ length: 5 }, (_, index) => `list/${index}`);
    for (const key of [...keys, "listed"]) await bucket.upload(key, path, digest);
    await another.upload("list/elsewhere", path, digest);
    expect((await bucket.list("list/")).sort()).toEqual(keys);
    expect(await bucket.list("nothing/")).toEqual([]);
  });

  test("two prefixes in one bucket are apart", async () => {
    const blobs = await openBlobs(temporaryFolder(), { ...s3().options(), prefix: "another" });
    const mine = await (await openBlobs()).put(Buffer.from("mine"));
    await expect(blobs.get(mine)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("S3Depot", () => {
  test("a folder that has changed has another reference, and is fetched as it was", async () => {
    const { folder, files } = makeFolder();
    const depot = await openDepot();
    const before = await depot.keep(folder, files);
    writeFileSync(join(folder, "config.json"), '{"changed": true}');
    expect(await depot.referenceOf(folder, files)).not.toBe(before);
    const old = await depot.folder(before);
    expect(old).not.toBe(folder);
    expect(readFileSync(join(old, "config.json"), "utf8")).toBe(CONTENTS["config.json"]);
  });

  test("equal folders on two machines have one reference, and a lost cache is filled again", async () => {
    const [one, other] = [makeFolder(), makeFolder()];
    const reference = await (await openDepot()).keep(one.folder, one.files);
    expect(await (await openDepot()).referenceOf(other.folder, other.files)).toBe(reference);
    const cache = temporaryFolder();
    const depot = await openDepot(cache);
    rmSync(await depot.folder(reference), { recursive: true });
    expect(readdirSync(await depot.folder(reference)).sort()).toEqual(["config.json", "onnx"]);
    expect(readdirSync(cache)).toHaveLength(1);
  });

  test("what was fetched and not asked for since is removed, and what killed fetches have left", async () => {
    const cache = temporaryFolder();
    const depot = await openDepot(cache);
    const keep = async (text: string) => {
      const { folder, files } = makeFolder({ ...CONTENTS, "config.json": text });
      return (await openDepot()).keep(folder, files);
    };
    const [unused, asked] = [await keep('{"unused": true}'), await keep('{"asked": true}')];
    const [old, current] = [await depot.folder(unused), await depot.folder(asked)];
    const [killed, fetching] = [`${old}.1.draft`, `${old}.2.draft`];
    for (const draft of [killed, fetching]) mkdirSync(draft);
    for (const place of [old, current, killed]) utimesSync(place, 0, 0);
    // As for a model that is in memory.
    expect(await depot.folder(asked)).toBe(current);
    const hourAgo = new Date(Date.now() - 3_600_000);
    await depot.clearCache({ unused: hourAgo, killed: hourAgo });
    expect([old, current, killed, fetching].map(existsSync)).toEqual([false, true, false, true]);
    expect(readdirSync(cache)).toHaveLength(2);
    expect(readFileSync(join(await depot.folder(unused), "config.json"), "utf8")).toBe('{"unused": true}');
  });

  test("a list that names files outside of the folder is refused", async () => {
    const list = [{ name: "../outside", digest }];
    const reference = await (await openBlobs()).put(Buffer.from(JSON.stringify(list)));
    await expect((await openDepot()).folder(reference)).rejects.toMatchObject({ code: "DOWNLOAD_FAILED" });
  });
});

/** Changes a byte of an object behind the storage's back. */
function damage(of: string): { restore(): void } {
  const path = s3().path(`blobs/${of.slice("sha256:".length)}`);
  const whole = readFileSync(path);
  writeFileSync(path, Buffer.from(whole).fill(0, 0, 1));
  return { restore: () => writeFileSync(path, whole) };
}
