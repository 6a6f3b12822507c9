import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { ModelTrust } from "../registry.ts";
import type { RecordedSelfTest } from "../self-testing.ts";

/**
 * What an import leaves for the server that will register the model. It lies outside the model's folder, so that no
 * download can bring one along that says it is to be trusted, and holds for these weights only.
 */
export interface ImportNote {
  /** One for each import. */
  readonly id: string;
  readonly source: string;
  readonly importedAt: string;
  readonly weights: string;
  readonly preprocessing: string;
  readonly trust?: ModelTrust;
  readonly selfTest: RecordedSelfTest;
}

export async function writeNote(path: string, note: ImportNote): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${note.id}`;
  await writeFile(temporary, `${JSON.stringify(note, null, 2)}\n`);
  await rename(temporary, path);
}

/** Undefined where there is none, or none that can be read. */
export async function readNote(path: string): Promise<ImportNote | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as ImportNote;
  } catch {
    return undefined;
  }
}
