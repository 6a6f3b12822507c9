import type { CbptConfig } from "../engine/cbpt/config.ts";
import type { Count } from "../engine/evaluation/rate.ts";
import type { Store, Write } from "../store/store.ts";
import { checkName, isName } from "./names.ts";
import { notFound } from "./not-found.ts";

/** As stored under `tenants/<tenant>/prompt-sets/<name>`. */
export interface PromptSetRecord {
  readonly name: string;
  readonly createdAt: string;
  /** How many versions there are: the number of the last. */
  readonly versions: number;
}

/** What makes a version what it is; its digest names the version. Nothing in it depends on when it was made. */
export interface Manifest {
  readonly format: "antidote-prompts-1";
  readonly promptSet: string;
  readonly model: { readonly name: string; readonly weights: string; readonly preprocessing: string };
  readonly labels: readonly string[];
  readonly templates: readonly string[];
  /** The labels that triggers were searched for, where not for all. */
  readonly targets?: readonly string[];
  readonly shots: number;
  /** The digest of the dataset's examples at the time. */
  readonly dataset: string;
  readonly config: CbptConfig;
  /** The digest of the learned tensors: contexts [C, M, d] and text_features [C, D]. */
  readonly tensors: string;
}

export interface ProbeRecord {
  readonly ca: Count;
  readonly asr?: Count;
}

/** As stored under `tenants/<tenant>/versions/<id>`. */
export interface VersionRecord {
  /** The first 32 digits of the digest. */
  readonly id: string;
  readonly number: number;
  readonly digest: string;
  readonly manifest: Manifest;
  /** The safetensors file with the manifest in its metadata. */
  readonly artifact: { readonly digest: string; readonly bytes: number };
  readonly probe: ProbeRecord;
  readonly undefendedProbe: ProbeRecord;
  readonly jobId: string;
  readonly code: string;
  readonly device: string;
  readonly createdAt: string;
}

export interface VersionPage {
  readonly versions: readonly VersionRecord[];
  readonly hasMore: boolean;
}

/** A tenant's prompt sets and their versions. */
export class Prompts {
  private readonly sets: string;
  private readonly versions: string;
  private readonly numbers: string;

  constructor(
    private readonly store: Store,
    tenant: string,
  ) {
    this.sets = `tenants/${tenant}/prompt-sets/`;
    this.versions = `tenants/${tenant}/versions/`;
    this.numbers = `tenants/${tenant}/version-numbers/`;
  }

  async listSets(limit: number): Promise<PromptSetRecord[]> {
    return (await this.store.list<PromptSetRecord>(this.sets, { limit })).map(({ value }) => value);
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
    return isName(id) ? (await this.store.get<VersionRecord>(this.versions + id))?.value : undefined;
  }

  /** Fails with NOT_FOUND. */
  async getVersion(id: string): Promise<VersionRecord> {
    const record = await this.findVersion(id);
    if (!record) throw notFound("prompt version", id);
    return record;
  }

  /** Newest first, beginning below `before`. */
  async page(promptSet: string, first: number, before?: number): Promise<VersionPage> {
    const prefix = `${this.numbers}${promptSet}/`;
    const after = before === undefined ? undefined : prefix + padded(before);
    const entries = await this.store.list<string>(prefix, { reverse: true, limit: first + 1, after });
    const versions = await Promise.all(entries.slice(0, first).map(({ value }) => this.getVersion(value)));
    return { versions, hasMore: entries.length > first };
  }

  /**
   * What a new version writes, for a commit together with something else; the commit fails when another version of
   * the set comes first. A version that exists already (same manifest, same digest) writes nothing.
   */
  async plan(
    promptSet: string,
    make: (number: number) => VersionRecord,
  ): Promise<{ version: VersionRecord; writes: Write[] }> {
    const set = await this.store.get<PromptSetRecord>(this.sets + promptSet);
    if (!set) throw notFound("prompt set", promptSet);
    const version = make(set.value.versions + 1);
    const existing = await this.findVersion(version.id);
    if (existing) return { version: existing, writes: [] };
    const counted: PromptSetRecord = { ...set.value, versions: version.number };
    return {
      version,
      writes: [
        { kind: "put", key: set.key, value: counted, expected: set.revision },
        { kind: "put", key: this.versions + version.id, value: version, expected: 0 },
        { kind: "put", key: `${this.numbers}${promptSet}/${padded(version.number)}`, value: version.id },
      ],
    };
  }
}

/** Numbers as text in the order of numbers. */
const padded = (number: number): string => String(number).padStart(10, "0");
