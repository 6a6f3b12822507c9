import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "@jest/globals";
import type { StoredBlob, SweptBlobs } from "../../src/store/swept-blobs.ts";

const MINUTE_MILLISECONDS = 60_000;
const ago = () => new Date(Date.now() - MINUTE_MILLISECONDS);
const soon = () => new Date(Date.now() + MINUTE_MILLISECONDS);

/** What every store promises whose blobs can be removed. `open` gives the store of another machine each time, over the same storage. */
export function describeSweptBlobs(name: string, open: () => Promise<SweptBlobs>): void {
  describe(`${name} keeps the promises of a store that is swept`, () => {
    let here: SweptBlobs;
    let made = 0;
    beforeAll(async () => {
      here = await open();
    });

    /** A blob that no other test has. */
    const put = () => here.put(Buffer.from(`blob ${++made} of the tests that sweep`));
    const storedIn = async (blobs: SweptBlobs) => byDigest(blobs.stored(() => false));
    const asideIn = async (blobs: SweptBlobs) => byDigest(blobs.aside());

    test("lists what is there, but not what is known, with its size and its time", async () => {
      const [one, other] = [await put(), await put()];
      const found = await byDigest(here.stored((digest) => digest === other));
      expect(found.has(other)).toBe(false);
      expect(found.get(one)?.bytes).toBe((await here.get(one)).length);
      expect(found.get(one)?.since.getTime()).toBeGreaterThan(ago().getTime());
      expect(found.get(one)?.since.getTime()).toBeLessThan(soon().getTime());
    });

    test("what is set aside is listed there, and still found by a machine that never had it", async () => {
      const [read, given] = [await put(), await put()];
      for (const digest of [read, given]) expect(await here.setAside(digest, soon())).toBe(true);
      const [stored, aside] = [await storedIn(here), await asideIn(here)];
      for (const digest of [read, given]) {
        expect([stored.has(digest), aside.has(digest)]).toEqual([false, true]);
        expect(await (await open()).firstByte(digest)).toBe("b".charCodeAt(0));
      }
      expect(Buffer.from(await (await open()).get(read)).toString()).toMatch(/^blob/);
      expect(readFileSync(await (await open()).file(given), "utf8")).toMatch(/^blob/);
      const again = await storedIn(here);
      expect([again.has(read), again.has(given)]).toEqual([true, true]);
    });

    test("what has come since is not set aside, and nothing is that is not there", async () => {
      const digest = await put();
      expect(await here.setAside(digest, ago())).toBe(false);
      expect((await asideIn(here)).has(digest)).toBe(false);
      expect(await here.setAside(`sha256:${"1".repeat(64)}`, soon())).toBe(false);
    });

    test("is brought back once", async () => {
      const digest = await put();
      expect(await here.bringBack(digest)).toBe(false);
      await here.setAside(digest, soon());
      expect(await here.bringBack(digest)).toBe(true);
      expect(await here.bringBack(digest)).toBe(false);
      expect((await storedIn(here)).has(digest)).toBe(true);
    });

    test("is removed only from aside, and when it has been there for long enough", async () => {
      const digest = await put();
      expect(await here.remove(digest, soon())).toBe(false);
      await here.setAside(digest, soon());
      expect(await here.remove(digest, ago())).toBe(false);
      expect(await here.remove(digest, soon())).toBe(true);
      const there = await open();
      expect(await there.firstByte(digest)).toBeUndefined();
      await expect(there.get(digest)).rejects.toMatchObject({ code: "NOT_FOUND" });
      await expect(there.file(digest)).rejects.toMatchObject({ code: "NOT_FOUND" });
    });

    test("bytes that are put again while they are aside outlive their removal from there", async () => {
      const digest = await put();
      await here.setAside(digest, soon());
      made--;
      expect(await put()).toBe(digest);
      await here.remove(digest, soon());
      expect(Buffer.from(await (await open()).get(digest)).toString()).toMatch(/^blob/);
    });

    test("bytes that are put at the moment at which they are set aside are there", async () => {
      for (let round = 0; round < 20; round++) {
        const bytes = Buffer.from(`round ${round}`);
        const digest = await here.put(bytes);
        const there = await open();
        const [, again] = await Promise.all([here.setAside(digest, soon()), there.put(bytes)]);
        expect(again).toBe(digest);
        expect(Buffer.from(await (await open()).get(digest)).toString()).toBe(`round ${round}`);
      }
    });

    test("an empty blob has no first byte, nor has one that is not there", async () => {
      expect(await here.firstByte(await here.put(new Uint8Array()))).toBeUndefined();
      expect(await (await open()).firstByte(`sha256:${"2".repeat(64)}`)).toBeUndefined();
    });

    test("keeps who says that the blobs are theirs, and since when", async () => {
      await here.own("one-1");
      const [first] = await here.owners();
      expect(first.since.getTime()).toBeGreaterThan(ago().getTime());
      await (await open()).own("one-1");
      await here.own("other-2");
      const owners = await (await open()).owners();
      expect(owners.map(({ id }) => id).sort()).toEqual(["one-1", "other-2"]);
      expect(owners.find(({ id }) => id === "one-1")).toEqual(first);
    });
  });
}

async function byDigest(blobs: AsyncIterable<StoredBlob>): Promise<Map<string, StoredBlob>> {
  const found = new Map<string, StoredBlob>();
  for await (const blob of blobs) found.set(blob.digest, blob);
  return found;
}
