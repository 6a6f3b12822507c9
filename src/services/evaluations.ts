import type { Store, Write } from "../store/store.ts";
import type { EvaluationRecord } from "./job-specs.ts";
import { isName } from "./names.ts";

/** A tenant's finished evaluations. */
export class Evaluations {
  private readonly records: string;
  private readonly byVersion: string;

  constructor(
    private readonly store: Store,
    tenant: string,
  ) {
    this.records = `tenants/${tenant}/evaluations/`;
    this.byVersion = `tenants/${tenant}/version-evaluations/`;
  }

  async find(id: string): Promise<EvaluationRecord | undefined> {
    return isName(id) ? (await this.store.get<EvaluationRecord>(this.records + id))?.value : undefined;
  }

  /** Newest first. */
  async ofVersion(versionId: string, limit: number): Promise<EvaluationRecord[]> {
    const entries = await this.store.list<string>(`${this.byVersion}${versionId}/`, { reverse: true, limit });
    const records = await Promise.all(entries.map(({ value }) => this.find(value)));
    return records.filter((record) => record !== undefined);
  }

  /** What an evaluation writes, for a commit together with its job's success. */
  plan(record: EvaluationRecord): Write[] {
    const write: Write = { kind: "put", key: this.records + record.id, value: record };
    if (record.versionId === undefined) return [write];
    return [
      write,
      { kind: "put", key: `${this.byVersion}${record.versionId}/${record.id}`, value: record.id },
    ];
  }
}
