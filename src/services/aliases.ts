import { AppError } from "../errors.ts";
import type { Entry, Store, Write } from "../store/store.ts";
import { globalId } from "./global-id.ts";
import { checkName, isName } from "./names.ts";
import { eventWrites } from "./webhooks/events.ts";

/** As stored under `tenants/<tenant>/aliases/<prompt set>/<name>`. */
export interface AliasRecord {
  readonly promptSet: string;
  readonly name: string;
  readonly versionId: string;
  /** How often it was moved: the length of its history. */
  readonly moves: number;
}

export interface AliasMoveRecord {
  readonly at: string;
  /** The name of a key, or "job <id>". */
  readonly by: string;
  readonly from?: string;
  readonly to: string;
  readonly reason?: string;
  /** The evaluation that speaks for it. */
  readonly evidence?: string;
}

export interface Move {
  readonly promptSet: string;
  readonly alias: string;
  readonly to: string;
  readonly by: string;
  readonly reason?: string;
  readonly evidence?: string;
}

const MOST_TRIES = 8;

/** A tenant's aliases. They move by compare-and-set and keep their history. */
export class Aliases {
  private readonly prefix: string;

  constructor(
    private readonly store: Store,
    private readonly tenant: string,
  ) {
    this.prefix = `tenants/${tenant}/aliases/`;
  }

  async list(promptSet: string): Promise<AliasRecord[]> {
    return (await this.store.list<AliasRecord>(`${this.prefix}${promptSet}/`)).map(({ value }) => value);
  }

  async find(promptSet: string, alias: string): Promise<AliasRecord | undefined> {
    return (await this.entry(promptSet, alias))?.value;
  }

  /** Newest first, without the `skip` newest. */
  async history(
    { promptSet, name, moves }: AliasRecord,
    first: number,
    skip = 0,
  ): Promise<AliasMoveRecord[]> {
    const left = moves - skip;
    if (left <= 0) return [];
    const before = Math.max(0, left - first);
    const stream = this.stream(promptSet, name);
    const entries = await this.store.read<AliasMoveRecord>(stream, before, left - before);
    return entries.map(({ value }) => value).reverse();
  }

  /**
   * Moves the alias to a version, which makes it when it is new. With `expected` the alias must be at that version
   * now; otherwise it fails with STALE_ALIAS, which tells where it is.
   */
  async move(move: Move, expected?: string): Promise<AliasRecord> {
    checkName("The alias", move.alias);
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const entry = await this.entry(move.promptSet, move.alias);
      const current = entry?.value.versionId;
      if (expected !== undefined && current !== expected) throw stale(move, expected, current);
      const { record, writes } = await this.writesOf(move, entry);
      if (await this.store.commit(writes)) return record;
    }
    throw new AppError("OVERLOADED", `Alias "${move.alias}" kept moving. Try again.`, { retryAfterMs: 1000 });
  }

  /**
   * What a move writes, for a commit together with something else; it fails when the alias moves meanwhile. With
   * `expected` as for `move`.
   */
  async plan(move: Move, expected?: string): Promise<Write[]> {
    const entry = await this.entry(move.promptSet, move.alias);
    const current = entry?.value.versionId;
    if (expected !== undefined && current !== expected) throw stale(move, expected, current);
    return (await this.writesOf(move, entry)).writes;
  }

  private async writesOf(
    { promptSet, alias, to, by, reason, evidence }: Move,
    entry: Entry<AliasRecord> | undefined,
  ): Promise<{ record: AliasRecord; writes: Write[] }> {
    const record = { promptSet, name: alias, versionId: to, moves: (entry?.value.moves ?? 0) + 1 };
    const from = entry?.value.versionId;
    const moved: AliasMoveRecord = { at: new Date().toISOString(), by, from, to, reason, evidence };
    return {
      record,
      writes: [
        { kind: "put", key: this.key(promptSet, alias), value: record, expected: entry?.revision ?? 0 },
        { kind: "append", stream: this.stream(promptSet, alias), value: moved },
        ...(await this.announce(promptSet, alias, moved)),
      ],
    };
  }

  private announce(
    promptSet: string,
    alias: string,
    { from, to, by, reason }: AliasMoveRecord,
  ): Promise<Write[]> {
    return eventWrites(this.store, this.tenant, "alias.moved", {
      promptSetId: globalId("promptset", promptSet),
      alias,
      from: from === undefined ? null : globalId("version", from),
      to: globalId("version", to),
      by,
      reason: reason ?? null,
    });
  }

  private async entry(promptSet: string, alias: string): Promise<Entry<AliasRecord> | undefined> {
    return isName(promptSet) && isName(alias)
      ? this.store.get<AliasRecord>(this.key(promptSet, alias))
      : undefined;
  }

  private key = (promptSet: string, alias: string): string => `${this.prefix}${promptSet}/${alias}`;
  private stream = (promptSet: string, alias: string): string => `${this.key(promptSet, alias)}/moves`;
}

const stale = ({ alias }: Move, expected: string, current: string | undefined): AppError =>
  new AppError(
    "STALE_ALIAS",
    `Alias "${alias}" is not at ${expected} but ${current === undefined ? "nowhere yet" : `at ${current}`}. Look again and decide anew.`,
    { expected, current: current ?? null },
  );
