import { createReadStream } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { DigestSet } from "./digest-set.ts";
import type { Entry, Store } from "./store.ts";
import type { SweptBlobs } from "./swept-blobs.ts";

/** Few, since one record may name many thousand images, and a page of them is decoded in one go. */
const RECORDS_AT_ONCE = 8;
/** After a page of so much text, the next is of one record. */
const LONG_PAGE_CHARACTERS = 256 * 1024;
const BLOBS_AT_ONCE = 16;
const CHUNK_BYTES = 1024 * 1024;
/** As JSON begins that can name digests; no image begins so. */
const BEGINNINGS: ReadonlySet<number> = new Set([..."[{"].map((sign) => sign.charCodeAt(0)));

const HEX_DIGITS = 64;
/** With or without "sha256:" before it: what an earlier version has planned names the files by their paths. */
const DIGEST = /[0-9a-f]{64}/g;

interface MarkerOptions {
  /** All of them, also those that a newer version of the program has written. */
  readonly records: Pick<Store, "list">;
  readonly blobs: Pick<SweptBlobs, "firstByte" | "file">;
  /** What of a record is looked through; it leaves out only what certainly needs no blob any more. */
  readonly referencesOf: (entry: Entry<unknown>) => unknown;
}

/**
 * Finds out which blobs are needed: those whose digest stands anywhere in a record, and those that such a blob names
 * when it is a list, as data sets and the folders of models have. What a list names is not opened: whoever writes lists
 * of lists has to name them in a record. Records are taken as text, so that a new kind of record needs nothing here.
 * Streams are not looked through: they tell what has happened, and nothing is ever fetched by what they say.
 */
export class BlobMarker {
  /** Blobs never change, so one that was seen to be no list is not opened again. */
  private readonly leaves = new DigestSet();

  constructor(private readonly options: MarkerOptions) {}

  /** @param goOn is called now and then, and fails when it is to stop. */
  async mark(goOn: () => Promise<void>): Promise<DigestSet> {
    const { records } = this.options;
    const [live, seen] = [new DigestSet(), new DigestSet()];
    let limit = RECORDS_AT_ONCE;
    for (let after: string | undefined; ; ) {
      await goOn();
      const page = await records.list<unknown>("", { after, limit });
      let characters = 0;
      for (const entry of page) {
        const text = `${entry.key} ${JSON.stringify(this.options.referencesOf(entry))}`;
        characters += text.length;
        await this.markNamed(text, { live, seen });
        await nextTurn();
      }
      if (page.length < limit) return live;
      after = page[page.length - 1].key;
      limit = characters > LONG_PAGE_CHARACTERS ? 1 : Math.min(2 * limit, RECORDS_AT_ONCE);
    }
  }

  private async markNamed(
    text: string,
    { live, seen }: { readonly live: DigestSet; readonly seen: DigestSet },
  ): Promise<void> {
    const fresh: string[] = [];
    for (const hex of hexIn(text)) {
      if (seen.has(hex)) continue;
      seen.add(hex);
      live.add(hex);
      if (!this.leaves.has(hex)) fresh.push(`sha256:${hex}`);
    }
    for (let first = 0; first < fresh.length; first += BLOBS_AT_ONCE)
      await Promise.all(
        fresh.slice(first, first + BLOBS_AT_ONCE).map((digest) => this.markListed(digest, live)),
      );
  }

  /** A list that is there and cannot be read fails: nobody knows then what is needed. */
  private async markListed(digest: string, live: DigestSet): Promise<void> {
    const { blobs } = this.options;
    const beginning = await blobs.firstByte(digest);
    if (beginning === undefined) return;
    if (!BEGINNINGS.has(beginning)) return this.leaves.add(digest);
    let rest = "";
    const options = { encoding: "latin1", highWaterMark: CHUNK_BYTES } as const;
    for await (const chunk of createReadStream(await blobs.file(digest), options)) {
      const text: string = rest + chunk;
      for (const hex of hexIn(text)) live.add(hex);
      rest = text.slice(1 - HEX_DIGITS);
    }
  }
}

function* hexIn(text: string): Generator<string> {
  for (const [hex] of text.matchAll(DIGEST)) yield hex;
}
