import type { Store } from "../store/store.ts";

const USES = "access/key-uses/";
const APART_MILLISECONDS = 5 * 60_000;

/** When keys were last used, to within five minutes: written so seldom that a busy key costs nothing. */
export class KeyUse {
  private readonly written = new Map<string, number>();
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly store: Store,
    private readonly now: () => Date,
  ) {}

  /** Never waited for: whoever uses the key does not pay for the note of it. */
  note(keyId: string): void {
    const now = this.now();
    if (now.getTime() - (this.written.get(keyId) ?? 0) < APART_MILLISECONDS) return;
    this.written.set(keyId, now.getTime());
    const write = { kind: "put", key: USES + keyId, value: now.toISOString() } as const;
    const written = this.store.commit([write]).catch(() => this.written.delete(keyId));
    // Nothing of what was written is kept.
    this.writing = Promise.all([this.writing, written]).then(() => {});
  }

  /** ISO times by key id. */
  async times(): Promise<ReadonlyMap<string, string>> {
    const entries = await this.store.list<string>(USES);
    return new Map(entries.map(({ key, value }) => [key.slice(USES.length), value]));
  }

  /** Resolves when nothing is being written any more. */
  async settled(): Promise<void> {
    await this.writing;
  }
}
