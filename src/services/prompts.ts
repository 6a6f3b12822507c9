import type { Tripwire } from "../engine/cbpt/tripwire.ts";
import type { Count } from "../engine/evaluation/rate.ts";
import type { Store, Write } from "../store/store.ts";
import type { GateResult, GateTerms } from "./gates.ts";
import type { Manifest } from "./manifest.ts";
import { checkName, isName } from "./names.ts";
import { notFound } from "./not-found.ts";
import type { OnRefused } from "./quotas/quota.ts";
import { StoredBytes } from "./quotas/stored-bytes.ts";
import { modern, type StoredVersion } from "./stored-version.ts";

/** As stored under `tenants/<tenant>/prompt-sets/<name>`. */
export interface PromptSetRecord {
  readonly name: string;
  readonly createdAt: string;
  /** How many versions there are: the number of the last. */
  readonly versions: number;
}

/** Counts of nothing (n = 0) where it was not measured. */
export interface ProbeRecord {
  readonly ca: Count;
  readonly asr?: Count;
}

/** What was measured when a version was made. A bundle carries it along; only its maker knows that it is true. */
export interface Evidence {
  readonly probe: ProbeRecord;
  readonly undefendedProbe: ProbeRecord;
  readonly gate?: { readonly terms: GateTerms } & GateResult;
  /** How suspicious clean images are through it; absent where that was not measured. */
  readonly tripwire?: Tripwire;
  /** Version of the program that made it. */
  readonly code: string;
  readonly device: string;
}

/** As stored under `tenants/<tenant>/versions/<id>`. */
export interface VersionRecord extends Evidence {
  /** The first 32 digits of the digest. */
  readonly id: string;
  /** The prompt set that had it first, and its number there. */
  readonly promptSet: string;
  readonly number: number;
  readonly digest: string;
  readonly manifest: Manifest;
  /** The safetensors file with the manifest and the evidence in its metadata. */
  readonly artifact: { readonly digest: string; readonly bytes: number };
  /** None for one that was imported. */
  readonly jobId?: string;
  /** The name of the key that imported it. */
  readonly importedBy?: string;
  readonly createdAt: string;
}

/** A version before a prompt set has numbered it. */
export type NewVersion = Omit<VersionRecord, "promptSet" | "number">;

export interface VersionPage {
  readonly versions: readonly VersionRecord[];
  readonly hasMore: boolean;
}

/** A tenant's prompt sets and their versions. */
export class Prompts {
  private readonly sets: string;
  private readonly versions: string;
  private readonly numbers: string;
  private readonly members: string;
  private readonly stored: StoredBytes;

  constructor(
    private readonly store: Store,
    tenant: string,
    onRefused?: OnRefused,
  ) {
    this.sets = `tenants/${tenant}/prompt-sets/`;
    this.versions = `tenants/${tenant}/versions/`;
    this.numbers = `tenants/${tenant}/version-numbers/`;
    this.members = `tenants/${tenant}/version-sets/`;
    this.stored = new StoredBytes(store, tenant, onRefused);
  }

  async listSets(limit: number, after?: string): Promise<PromptSetRecord[]> {
    const range = { limit, after: after === undefined ? undefined : this.sets + after };
    return (await this.store.list<PromptSetRecord>(this.sets, range)).map(({ value }) => value);
  }

  async findSet(name: string): Promise<PromptSetRecord | undefined> {
    return isName(name) ? (await this.store.get<PromptSetRecord>(this.sets + name))?.value : undefined;
  }

  /** Makes the set unless there is one. */
  async ensureSet(name: string): Promise<void> {
    checkName("The prompt set", name);
    const value: PromptSetRecord = { name, createdAt: new Date().toISOString(), versions: 0 };
    await this.store.commit([{ kind: "put", key: this.sets + name, value, expected: 0 }]);
  }

  async findVersion(id: string): Promise<VersionRecord | undefined> {
    const entry = isName(id) ? await this.store.get<StoredVersion>(this.versions + id) : undefined;
    return entry && modern(entry.value);
  }

  /** Fails with NOT_FOUND. */
  async getVersion(id: string): Promise<VersionRecord> {
    const record = await this.findVersion(id);
    if (!record) throw notFound("prompt version", id);
    return record;
  }

  /** Whether the set has the version: equal versions of two sets are one, with a number in each. */
  async has(promptSet: string, version: VersionRecord): Promise<boolean> {
    if (version.promptSet === promptSet) return true;
    return isName(promptSet) && (await this.store.get(this.memberKey(promptSet, version.id))) !== undefined;
  }

  /** Newest first, beginning below `before`; each with its number in this set. */
  async page(promptSet: string, first: number, before?: number): Promise<VersionPage> {
    const prefix = `${this.numbers}${promptSet}/`;
    const after = before === undefined ? undefined : prefix + padded(before);
    const entries = await this.store.list<string>(prefix, { reverse: true, limit: first + 1, after });
    const versions = await Promise.all(
      entries.slice(0, first).map(async ({ key, value }) => ({
        ...(await this.getVersion(value)),
        number: Number(key.slice(prefix.length)),
      })),
    );
    return { versions, hasMore: entries.length > first };
  }

  /**
   * What a new version writes, for a commit together with something else; the commit fails when another version of
   * the set comes first. A version that the set has already (same manifest, same digest) writes nothing, unless it was
   * imported and now is made here: then what was measured here counts.
   */
  async plan(promptSet: string, made: NewVersion): Promise<PlannedVersion> {
    const set = await this.store.get<PromptSetRecord>(this.sets + promptSet);
    if (!set) throw notFound("prompt set", promptSet);
    const key = this.versions + made.id;
    const entry = await this.store.get<StoredVersion>(key);
    const known = entry && modern(entry.value);
    const isNew = known === undefined || !(await this.has(promptSet, known));
    const number = set.value.versions + 1;
    const version = chosen(known, made, { promptSet, number });
    const writes: Write[] = [];
    if (version !== known) {
      const added = version.artifact.bytes - (known?.artifact.bytes ?? 0);
      writes.push(
        { kind: "put", key, value: version, expected: entry?.revision ?? 0 },
        // What was computed is kept in any case; what is brought along has to fit.
        ...(await this.stored.plan(added, { mustFit: made.importedBy !== undefined })),
      );
    }
    if (isNew)
      writes.push(
        { kind: "put", key: set.key, value: { ...set.value, versions: number }, expected: set.revision },
        { kind: "put", key: `${this.numbers}${promptSet}/${padded(number)}`, value: made.id },
        { kind: "put", key: this.memberKey(promptSet, made.id), value: number, expected: 0 },
      );
    return { version, writes, isNew };
  }

  private memberKey = (promptSet: string, id: string): string => `${this.members}${promptSet}/${id}`;
}

interface PlannedVersion {
  readonly version: VersionRecord;
  readonly writes: Write[];
  /** Whether the set has not had it before. */
  readonly isNew: boolean;
}

/** The record to keep of a version that is known already or not: what was made here stands above what was imported. */
function chosen(
  known: VersionRecord | undefined,
  made: NewVersion,
  place: Pick<VersionRecord, "promptSet" | "number">,
): VersionRecord {
  if (!known) return { ...made, ...place };
  if (known.importedBy === undefined || made.importedBy !== undefined) return known;
  return { ...made, promptSet: known.promptSet, number: known.number };
}

/** Numbers as text in the order of numbers. */
const padded = (number: number): string => String(number).padStart(10, "0");
