import { randomUUID } from "node:crypto";
import { readdirSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "@jest/globals";
import { claimBlobs } from "../../src/store/blob-claim.ts";
import { BlobSweeper, type BlobSweeperOptions, type Swept } from "../../src/store/blob-sweeper.ts";
import { FileBlobStore } from "../../src/store/blobs.ts";
import { LmdbStore } from "../../src/store/lmdb.ts";
import { S3BlobStore } from "../../src/store/s3-blobs.ts";
import { S3Bucket } from "../../src/store/s3-bucket.ts";
import type { Store } from "../../src/store/store.ts";
import type { SweptBlobs } from "../../src/store/swept-blobs.ts";
import { RECORD_FORMAT, VersionedStore } from "../../src/store/versioned-store.ts";
import { withS3 } from "../support/s3-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const HOUR_MILLISECONDS = 3_600_000;
const PIECE_BYTES = 1024 * 1024;
const RETENTION_HOURS = 48;
/** Hours after which a store of records has owned its blobs for long enough, and its first blobs are old. */
const FIRST = RETENTION_HOURS + 1;
/** What was set aside then has been so for long enough. */
const SECOND = FIRST + RETENTION_HOURS + 1;
/** When what came then is old, and is set aside; and when that is over. */
const THIRD = SECOND + RETENTION_HOURS + 1;
const FOURTH = THIRD + RETENTION_HOURS + 1;

const NOTHING = { blobs: 0, bytes: 0 };
const ONE = { blobs: 1, bytes: expect.any(Number) };

const stores: Store[] = [];
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
});

const s3 = withS3();

describe("BlobSweeper, over files", () => {
  describeSweeps(filePlace);
});

describe("BlobSweeper, over a bucket", () => {
  describeSweeps(() => {
    const prefix = randomUUID();
    return new Place(s3().path(`../${prefix}`), async () => {
      const bucket = await S3Bucket.open({ ...s3().options(), prefix });
      return new S3BlobStore(bucket, await FileBlobStore.open(temporaryFolder()));
    });
  });
});

/** Where blobs lie, and how late it is there. */
class Place {
  private hours = 0;

  /** @param open opens it as another machine. */
  constructor(
    private readonly folder: string,
    readonly open: () => Promise<SweptBlobs>,
  ) {}

  /** Lets so many hours pass since the beginning: everything there becomes older. */
  passUntil(hours: number): void {
    const seconds = (hours - this.hours) * 3_600;
    this.hours = hours;
    for (const entry of readdirSync(this.folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const aged = statSync(path).mtimeMs / 1000 - seconds;
      utimesSync(path, aged, aged);
    }
  }
}

function filePlace(): Place {
  const folder = temporaryFolder();
  return new Place(folder, () => FileBlobStore.open(folder, { shared: true }));
}

/** @param place gives an empty one. */
function describeSweeps(place: () => Place): void {
  test("sets aside what no record names, and removes it when its time there is over", async () => {
    const { blobs, sweepAt, has, open } = await world(place());
    const digest = await blobs.put(Buffer.from("unnamed"));
    expect(await sweepAt(FIRST)).toEqual({
      aside: { blobs: 1, bytes: 7 },
      returned: NOTHING,
      removed: NOTHING,
    });
    expect(await sweepAt(FIRST + 1)).toEqual({ aside: NOTHING, returned: NOTHING, removed: NOTHING });
    expect(await sweepAt(SECOND)).toEqual({
      aside: NOTHING,
      returned: NOTHING,
      removed: { blobs: 1, bytes: 7 },
    });
    await expect((await open()).get(digest)).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(await has(digest)).toBe(false);
  });

  test("keeps what is named: in a key, deep in a value, without its beginning, by a newer version, in a list", async () => {
    const { store, raw, blobs, sweepAt, has } = await world(place());
    const [inKey, deep, bare, newer, listed] = await Promise.all(
      ["key", "deep", "bare", "newer", "listed"].map((text) => blobs.put(Buffer.from(text))),
    );
    const list = await blobs.put(Buffer.from(JSON.stringify([{ label: 0, image: listed }])));
    await put(store, `anything/${inKey}`, 1);
    await put(store, "of/a/kind/of/tomorrow", { a: [{ b: `see ${deep}, please` }] });
    await put(store, "paths", { file: `/data/blobs/ab/${bare.slice(-64)}` });
    await put(raw, "newer", { image: newer, recordFormat: RECORD_FORMAT + 1 });
    await put(store, "datasets/one", { digest: list });
    for (const hours of [FIRST, SECOND]) await sweepAt(hours);
    for (const digest of [inKey, deep, bare, newer, listed, list]) expect(await has(digest)).toBe(true);
    await store.commit([{ kind: "delete", key: "datasets/one" }]);
    for (const hours of [THIRD, FOURTH]) await sweepAt(hours);
    for (const digest of [listed, list]) expect(await has(digest)).toBe(false);
    for (const digest of [inKey, deep, bare, newer]) expect(await has(digest)).toBe(true);
  });

  test("keeps everything that a long list names, among more records than are read at once", async () => {
    const { store, blobs, sweepAt, has } = await world(place());
    const images = await Promise.all(
      Array.from({ length: 5 }, (_, index) => blobs.put(Buffer.from(`image ${index}`))),
    );
    // As it is read, each of its pieces ends within a digest, a little further in each time.
    let text = "[";
    for (const [index, image] of images.entries()) {
      const edge = (index + 1) * PIECE_BYTES - 12 * (index + 1);
      text += `"${"-".repeat(edge - text.length - '"",'.length)}",${JSON.stringify(image.slice("sha256:".length))},`;
    }
    text += "0]";
    const list = await blobs.put(Buffer.from(text));
    for (let index = 0; index < 40; index++) await put(store, `others/${index}`, { index });
    await put(store, "zzz", { list });
    for (const hours of [FIRST, SECOND]) await sweepAt(hours);
    for (const image of images) expect(await has(image)).toBe(true);
  });

  test("brings back what is named again, and what somebody asks for", async () => {
    const { store, blobs, sweepAt, has, open } = await world(place());
    const [named, asked] = [await blobs.put(Buffer.from("named")), await blobs.put(Buffer.from("asked"))];
    await sweepAt(FIRST);
    await put(store, "again", { named });
    await (await open()).get(asked);
    expect(await sweepAt(FIRST + 1)).toMatchObject({ returned: ONE });
    await put(store, "again", { named, asked });
    for (const hours of [THIRD, FOURTH]) await sweepAt(hours);
    for (const digest of [named, asked]) expect(await has(digest)).toBe(true);
  });

  test.each([FIRST, SECOND])(
    "sees a reference that moves while the records are read (%p hours)",
    async (hours) => {
      const { store, blobs, sweepAt, has, options } = await world(place());
      const digest = await blobs.put(Buffer.from("moving"));
      if (hours === SECOND) await sweepAt(FIRST);
      for (let index = 0; index < 20; index++) await put(store, `between/${index}`, index);
      await put(store, "z", { digest });
      // From the end, which is still to be read, to the beginning, which has been.
      const moving: Pick<Store, "list"> = {
        list: async (prefix, listing) => {
          const page = await options.records.list<never>(prefix, listing);
          if (listing?.after === undefined)
            await store.commit([
              { kind: "put", key: "a", value: { digest } },
              { kind: "delete", key: "z" },
            ]);
          return page;
        },
      };
      const swept = await sweepAt(hours, { records: moving });
      expect(swept).toMatchObject({ aside: NOTHING, removed: NOTHING });
      expect(await has(digest)).toBe(true);
    },
  );

  test("loses nothing that is put, and named only later, while it is being set aside", async () => {
    const { store, blobs, sweepAt, has, options } = await world(place());
    const bytes = Buffer.from("put meanwhile");
    const [before, after] = [await blobs.put(bytes), await blobs.put(Buffer.from("put right after"))];
    const { setAside } = blobs;
    const interleaved = Object.assign(Object.create(blobs) as SweptBlobs, {
      setAside: async (digest: string, old: Date) => {
        if (digest === before) expect(await options.blobs.put(bytes)).toBe(digest);
        const done = await setAside.call(blobs, digest, old);
        if (digest === after) await options.blobs.put(Buffer.from("put right after"));
        return done;
      },
    });
    await sweepAt(FIRST, { blobs: interleaved });
    await put(store, "late", { before, after });
    for (const digest of [before, after]) expect(await has(digest)).toBe(true);
    for (const hours of [SECOND, THIRD, FOURTH]) await sweepAt(hours);
    for (const digest of [before, after]) expect(await has(digest)).toBe(true);
  });

  test("leaves alone what is young, and everything until the blobs have been owned for long enough", async () => {
    const { store, blobs, sweepAt, stored } = await world(place());
    await blobs.put(Buffer.from("young"));
    expect(await sweepAt(0)).toBeUndefined();
    expect(await sweepAt(RETENTION_HOURS - 1)).toBeUndefined();
    expect(await stored()).toHaveLength(1);
    const short = { retentionMilliseconds: HOUR_MILLISECONDS };
    expect(await sweepAt(23, short)).toMatchObject({ aside: NOTHING });
    expect(await sweepAt(25, short)).toMatchObject({ aside: ONE });
    expect(await store.get("blobs/sweep")).toBeUndefined();
  });

  test("neither of two stores of records that share the blobs by mistake removes any, and both say so", async () => {
    const shared = place();
    const [one, other] = [await world(shared), await world(shared)];
    await put(other.store, "mine", { digest: await other.blobs.put(Buffer.from("another's")) });
    expect(await other.sweepAt(0)).toBeUndefined();
    for (const hours of [FIRST, SECOND])
      for (const { sweepAt } of [one, other]) expect(await sweepAt(hours)).toBeUndefined();
    expect(await one.stored()).toHaveLength(1);
    for (const { log } of [one, other])
      expect(log).toContainEqual(["warn", expect.stringContaining("no blobs are removed")]);
  });

  test("a server that removes nothing still says whose the blobs are", async () => {
    const shared = place();
    const [silent, other] = [await world(shared), await world(shared)];
    expect(await silent.sweepAt(FIRST, { retentionMilliseconds: 0 })).toBeUndefined();
    await other.blobs.put(Buffer.from("of the silent"));
    for (const hours of [FIRST, SECOND]) expect(await other.sweepAt(hours)).toBeUndefined();
  });

  test("one server at a time sweeps, until the one that was killed at it is forgotten", async () => {
    const { store, blobs, sweepAt, options } = await world(place());
    await blobs.put(Buffer.from("unnamed"));
    let meanwhile: Swept | undefined;
    const records: Pick<Store, "list"> = {
      list: async (prefix, listing) => {
        meanwhile = await sweepAt(FIRST);
        return options.records.list<never>(prefix, listing);
      },
    };
    expect(await sweepAt(FIRST, { records })).toMatchObject({ aside: ONE });
    expect(meanwhile).toBeUndefined();
    const heldUntil = (milliseconds: number) =>
      put(store, "blobs/sweep", {
        holder: "killed",
        until: new Date(Date.now() + milliseconds).toISOString(),
      });
    await heldUntil(HOUR_MILLISECONDS);
    expect(await sweepAt(SECOND)).toBeUndefined();
    expect(await sweepAt(FIRST, { isAlone: true })).toEqual({
      aside: NOTHING,
      returned: NOTHING,
      removed: NOTHING,
    });
    await heldUntil(HOUR_MILLISECONDS);
    expect(await sweepAt(SECOND)).toBeUndefined();
    await heldUntil(-1);
    expect(await sweepAt(SECOND)).toMatchObject({ removed: ONE });
  });

  test("a sweep that takes long says that it goes on, and ends when another has begun", async () => {
    const { store, blobs, options } = await world(place());
    await blobs.put(Buffer.from("unnamed"));
    const untils: string[] = [];
    let clock = Date.now() + FIRST * HOUR_MILLISECONDS;
    const begun = async () => (await store.get<{ until: string }>("blobs/sweep"))?.value.until as string;
    const slow = (afterPage: () => Promise<unknown>): BlobSweeper =>
      new BlobSweeper({
        ...options,
        now: () => new Date(clock),
        records: {
          list: async (prefix, listing) => {
            const page = await options.records.list<never>(prefix, listing);
            untils.push(await begun());
            clock += HOUR_MILLISECONDS / 4;
            await afterPage();
            return page;
          },
        },
      });
    expect(await slow(async () => {}).sweep()).toBeDefined();
    expect(new Set(untils).size).toBeGreaterThan(1);
    const robbed = slow(() =>
      put(store, "blobs/sweep", { holder: "another", until: new Date(clock + 1).toISOString() }),
    );
    await expect(robbed.sweep()).rejects.toThrow("Another server has begun to sweep.");
    expect(await store.get("blobs/sweep")).toMatchObject({ value: { holder: "another" } });
  });

  test("a sweep that is stopped, or cannot read what it must, has removed nothing and lets the next one begin", async () => {
    const { store, blobs, sweepAt, stored, options } = await world(place());
    const image = await blobs.put(Buffer.from("listed"));
    await put(store, "list", await blobs.put(Buffer.from(JSON.stringify([image]))));
    await blobs.put(Buffer.from("unnamed"));
    const unreadable = Object.assign(Object.create(blobs) as SweptBlobs, {
      file: () => Promise.reject(new Error("The disk is ill.")),
    });
    await expect(sweepAt(FIRST, { blobs: unreadable })).rejects.toThrow("The disk is ill.");
    const stopping: BlobSweeper = new BlobSweeper({
      ...options,
      records: {
        list: (prefix, listing) => {
          stopping.stop();
          return options.records.list(prefix, listing);
        },
      },
    });
    await expect(stopping.sweep()).rejects.toThrow("The server stops.");
    expect(await stored()).toHaveLength(3);
    expect(await sweepAt(FIRST)).toMatchObject({ aside: ONE });
  });

  test("tells what it has done, and nothing when there was nothing to do", async () => {
    const { blobs, sweepAt, log } = await world(place());
    await sweepAt(FIRST);
    expect(log).toEqual([]);
    await blobs.put(Buffer.from("unnamed"));
    const told: Swept[] = [];
    const swept = await sweepAt(SECOND, { onSwept: (one) => told.push(one) });
    expect(told).toEqual([swept]);
    expect(log).toEqual([["info", "blobs that no record names were swept"]]);
  });
}

test("records are read a few at a time", async () => {
  const { store, sweepAt, options } = await world(filePlace());
  for (let index = 0; index < 50; index++) await put(store, `records/${index}`, index);
  const pages: number[] = [];
  const records: Pick<Store, "list"> = {
    list: async (prefix, listing) => {
      const page = await options.records.list<never>(prefix, listing);
      pages.push(page.length);
      return page;
    },
  };
  await sweepAt(FIRST, { records });
  expect(Math.max(...pages)).toBeLessThanOrEqual(8);
  expect(pages.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(50);
});

test("a blob that was once seen to be no list is not opened again", async () => {
  const place = filePlace();
  const { store, blobs, options } = await world(place);
  await put(store, "image", { image: await blobs.put(Buffer.from("an image")) });
  const opened: string[] = [];
  const counting = Object.assign(Object.create(blobs) as SweptBlobs, {
    firstByte: (digest: string) => {
      opened.push(digest);
      return blobs.firstByte(digest);
    },
  });
  const sweeper = new BlobSweeper({ ...options, blobs: counting });
  await sweeper.sweep();
  place.passUntil(FIRST);
  for (let times = 0; times < 3; times++) expect(await sweeper.sweep()).toBeDefined();
  expect(opened).toHaveLength(1);
});

const put = (store: Store, key: string, value: unknown) => store.commit([{ kind: "put", key, value }]);

/** A store of records, whose blobs it owns from the beginning. */
async function world(place: Place) {
  const raw = await LmdbStore.open(temporaryFolder());
  stores.push(raw);
  const store = new VersionedStore(raw);
  const blobs = await place.open();
  const log: [level: string, message: string][] = [];
  const logger = {
    info: (_: object, message: string) => void log.push(["info", message]),
    warn: (_: object, message: string) => void log.push(["warn", message]),
  };
  const options: BlobSweeperOptions = {
    store,
    records: raw,
    blobs,
    retentionMilliseconds: RETENTION_HOURS * HOUR_MILLISECONDS,
    referencesOf: ({ value }) => value,
    logger,
  };
  await claimBlobs(store, blobs);
  return {
    raw,
    store,
    blobs,
    options,
    log,
    open: place.open,
    /** The digests of what is not set aside. */
    stored: async () => {
      const digests: string[] = [];
      for await (const { digest } of blobs.stored(() => false)) digests.push(digest);
      return digests;
    },
    /** Whether it is anywhere, without asking for it as a user would, who brings it back. */
    has: async (digest: string) => (await (await place.open()).firstByte(digest)) !== undefined,
    sweepAt: (hours: number, other: Partial<BlobSweeperOptions> = {}) => {
      place.passUntil(hours);
      return new BlobSweeper({ ...options, ...other }).sweep();
    },
  };
}
