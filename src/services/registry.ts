import { readdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { type CheckpointFolder, openFolder } from "../engine/clip/checkpoint-folder.ts";
import { openCheckpoint } from "../engine/clip/index.ts";
import { agrees, requirePassed } from "../engine/clip/self-test.ts";
import { AppError } from "../errors.ts";
import { type Depot, type FolderFiles, SharedDepot } from "../store/depot.ts";
import { isDigest } from "../store/digests.ts";
import type { Store } from "../store/store.ts";
import { type ImportNote, readNote } from "./import/note.ts";
import { nameTaken, Workplace } from "./import/workplace.ts";
import { fingerprintOf, inspect, type ModelFacts } from "./inspection.ts";
import { checkName, isName } from "./names.ts";
import { type NormalisationChoice, withNormalisation } from "./normalisation.ts";
import { notFound } from "./not-found.ts";
import { readOverrides, writeOverrides } from "./overrides-file.ts";
import type { VersionRecord } from "./prompts.ts";
import type { RecordedSelfTest, SelfTester } from "./self-testing.ts";

export type ModelTrust = "TRUSTED" | "SUSPECT" | "QUARANTINED";

/** As stored under `models/<name>`. Every tenant sees all models; only an operator registers them. */
export interface ModelRecord extends ModelFacts {
  readonly name: string;
  /** Absolute, on the machine that has registered it. */
  readonly folder: string;
  /** By what every machine finds the folder; the folder itself in records of before there was a depot. */
  readonly reference?: string;
  readonly trust: ModelTrust;
  readonly selfTest: RecordedSelfTest;
  /** Where it was imported from, if it was. */
  readonly source?: string;
  /** The import whose note this record has taken in. */
  readonly importId?: string;
  /** Of the folder's files as they were read. */
  readonly fingerprint: string;
  /** Of what a record tells; one that tells less is made anew. */
  readonly edition: number;
}

export interface RegisterChoice {
  readonly trust?: ModelTrust;
  /** How images were normalised in training, where the configuration does not say so. It is kept in the folder. */
  readonly normalisation?: NormalisationChoice;
}

/** What became of a scan: the folders that hold a usable checkpoint, and why others do not. */
export interface Scan {
  readonly registered: readonly ModelRecord[];
  readonly failed: readonly { readonly name: string; readonly error: AppError }[];
}

const PREFIX = "models/";
const EDITION = 2;

const DIFFERS =
  "It no longer answers the self-test as it did with the same weights: the runtime, a driver or the machine has changed, or misbehaves.";

/** The checkpoints of the models folder: one folder each, named like the model. */
export class ModelRegistry {
  private readonly workplace: Workplace;

  constructor(
    private readonly store: Store,
    private readonly folder: string,
    private readonly test: SelfTester,
    private readonly depot: Depot = new SharedDepot(),
  ) {
    this.workplace = new Workplace(folder);
  }

  /**
   * Registers every usable checkpoint of the folder, and forgets models whose folder is gone, unless the depot has
   * them. What has not changed since it was registered is not read again, so a start costs no more than looking at
   * the files.
   */
  async scan(): Promise<Scan> {
    const folders = (await readdir(this.folder, { withFileTypes: true })).filter((entry) =>
      entry.isDirectory(),
    );
    const names = folders.map(({ name }) => name).filter(isName);
    const known = await this.store.list<ModelRecord>(PREFIX);
    const gone = known.filter(({ value }) => !isDigest(referenceOf(value)) && !names.includes(value.name));
    await this.store.commit(gone.map(({ key }) => ({ kind: "delete", key })));
    const registered: ModelRecord[] = [];
    const failed: { name: string; error: AppError }[] = [];
    // One after the other: each may hold a whole model in memory.
    for (const name of names) {
      try {
        registered.push((await this.unchanged(name)) ?? (await this.take(name)));
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        failed.push({ name, error });
      }
    }
    return { registered, failed };
  }

  /**
   * Reads and tests the checkpoint in the folder of that name. A model that is registered already is read again, and
   * keeps its record when that fails. Fails with NOT_FOUND, INVALID_CHECKPOINT or UNSUPPORTED_ARCHITECTURE.
   */
  async register(name: string, choice: RegisterChoice = {}): Promise<ModelRecord> {
    checkName("The model", name);
    const entries = await readdir(this.folder, { withFileTypes: true });
    if (!entries.some((entry) => entry.isDirectory() && entry.name === name))
      throw missingFolder(name, this.folder);
    return this.read(name, { ...choice, testAgain: true });
  }

  /**
   * Forgets a model: from then on nothing answers through it, and nothing is begun with it. Fails with NOT_FOUND, and
   * with VALIDATION_FAILED while its folder is in the models folder, from which the next start would take it in again.
   */
  async remove(name: string): Promise<ModelRecord> {
    const record = await this.get(name);
    if ((await readdir(this.folder)).includes(name))
      throw new AppError(
        "VALIDATION_FAILED",
        `The models folder still has the folder "${name}", from which the model would be registered again. Remove that first.`,
        { folder: name },
      );
    await this.store.commit([{ kind: "delete", key: PREFIX + name }]);
    return record;
  }

  /** Fails with VALIDATION_FAILED where the name cannot be a model's, or is taken. */
  async assertFree(name: string): Promise<void> {
    checkName("The model", name);
    await this.workplace.assertFree(name);
    const known = await this.stored(name);
    if (known && isDigest(referenceOf(known))) throw nameTaken(name);
  }

  /** Fails with INVALID_CONFIGURATION where no checkpoint could be adopted. */
  assertWritable(): Promise<void> {
    return this.workplace.assertWritable();
  }

  /**
   * Puts the files of a checkpoint that was made here among the models, whole or not at all, and registers it as a
   * suspect. The same files may be adopted twice; other files under a name that is taken fail with VALIDATION_FAILED.
   */
  async adopt(name: string, made: string): Promise<ModelRecord> {
    checkName("The model", name);
    const files = new Map((await readdir(made)).map((file) => [file, join(made, file)]));
    const isThere = await sameWeights(join(this.folder, name), made);
    if (!isThere)
      await this.workplace.staged(name, files, (folder) => this.workplace.publish(folder, name, false));
    return this.register(name, { trust: "SUSPECT" });
  }

  async list(): Promise<ModelRecord[]> {
    return (await this.store.list<ModelRecord>(PREFIX)).map(({ value }) => value).filter(isCurrent);
  }

  async find(name: string): Promise<ModelRecord | undefined> {
    const record = await this.stored(name);
    return record && isCurrent(record) ? record : undefined;
  }

  /** Fails with NOT_FOUND. */
  async get(name: string): Promise<ModelRecord> {
    const record = await this.find(name);
    if (!record) throw notFound("model", name);
    return record;
  }

  /** The registered model that a version's prompts were made for, preferably of the same name. */
  async matching({ manifest }: VersionRecord): Promise<ModelRecord | undefined> {
    const named = await this.find(manifest.model.name);
    if (named && isSame(manifest.model, named)) return named;
    return (await this.list()).find((model) => isSame(manifest.model, model));
  }

  /** The same. Fails with INCOMPATIBLE_MODEL when it is gone or changed. */
  async ofVersion(version: VersionRecord): Promise<ModelRecord> {
    const model = await this.matching(version);
    if (model) return model;
    const { name, weights } = version.manifest.model;
    throw new AppError(
      "INCOMPATIBLE_MODEL",
      `Version ${version.id} was made for model "${name}" with weights ${weights}, which is not registered.`,
      { model: name, weights },
    );
  }

  /** Fails with INCOMPATIBLE_MODEL when the version's prompts were made for other weights or another preprocessing. */
  async assertFits(version: VersionRecord, model: ModelRecord): Promise<void> {
    const { weights, preprocessing, name } = version.manifest.model;
    if (model.weights === weights && model.preprocessing === preprocessing) return;
    throw new AppError(
      "INCOMPATIBLE_MODEL",
      `Version ${version.id} was made for model "${name}" and does not fit model "${model.name}".`,
      { made: name, asked: model.name },
    );
  }

  private async stored(name: string): Promise<ModelRecord | undefined> {
    return isName(name) ? (await this.store.get<ModelRecord>(PREFIX + name))?.value : undefined;
  }

  private note(name: string): Promise<ImportNote | undefined> {
    return readNote(this.workplace.note(name));
  }

  /** The record of a model whose files are as they were, and that was not imported anew. */
  private async unchanged(name: string): Promise<ModelRecord | undefined> {
    const known = await this.find(name);
    if (!known) return undefined;
    const note = await this.note(name);
    if (note && note.id !== known.importId) return undefined;
    const folder = await realpath(join(this.folder, name));
    if (isDigest(referenceOf(known)))
      return (await this.referenceTo(folder)) === known.reference ? known : undefined;
    return known.folder === folder && (await fingerprintOf(folder)) === known.fingerprint ? known : undefined;
  }

  /** Registers a folder that is found by itself. It takes no other machine's model out of the depot. */
  private async take(name: string): Promise<ModelRecord> {
    const known = await this.stored(name);
    if (!known || !isDigest(referenceOf(known))) return this.read(name, {});
    const note = await this.note(name);
    const imported = note !== undefined && note.id !== known.importId;
    if (imported || (await this.referenceTo(join(this.folder, name))) === known.reference)
      return this.read(name, {});
    throw new AppError(
      "VALIDATION_FAILED",
      `The storage has another model "${name}", which is served. To put this machine's folder in its place, use registerModel.`,
      { name },
    );
  }

  private async referenceTo(path: string): Promise<string> {
    const folder = await openFolder(path);
    return this.depot.referenceOf(folder.path, filesOf(folder));
  }

  private async keep(path: string): Promise<string> {
    const folder = await openFolder(path);
    return this.depot.keep(folder.path, filesOf(folder));
  }

  private async read(
    name: string,
    { trust, normalisation, testAgain = false }: RegisterChoice & { testAgain?: boolean },
  ): Promise<ModelRecord> {
    const path = join(this.folder, name);
    const fingerprint = await fingerprintOf(path);
    const overrides = withNormalisation(await readOverrides(path), normalisation);
    const checkpoint = await openCheckpoint(path, overrides);
    const facts = await inspect(checkpoint, overrides);
    const known = await this.stored(name);
    const found = await this.note(name);
    // A note holds for the weights that were imported, not for what took their place by hand.
    const note = found?.weights === facts.weights ? found : undefined;
    const before = [known, note].find((other) => other?.selfTest && isSame(other, facts))?.selfTest;
    const selfTest = before && !testAgain ? before : await this.test(path, overrides);
    requirePassed(selfTest, name);
    // Whoever opens the folder, a job or a bench, then prepares images in the same way.
    if (normalisation !== undefined) await writeOverrides(path, overrides);
    const record: ModelRecord = {
      ...facts,
      warnings: before && !agrees(before, selfTest) ? [...facts.warnings, DIFFERS] : facts.warnings,
      name,
      folder: checkpoint.folder,
      reference: await this.keep(path),
      trust: trust ?? trustOf(facts.weights, known, note),
      selfTest,
      source: note?.source,
      importId: found?.id,
      fingerprint: normalisation === undefined ? fingerprint : await fingerprintOf(path),
      edition: EDITION,
    };
    await this.store.commit([{ kind: "put", key: PREFIX + name, value: record }]);
    return record;
  }
}

/** Whether both folders hold checkpoints, of the same weights. */
async function sameWeights(one: string, other: string): Promise<boolean> {
  const digest = async (folder: string) => (await openCheckpoint(folder)).weightsDigest();
  const here = await digest(one).catch(() => undefined);
  return here !== undefined && here === (await digest(other));
}

/** By what every machine finds the model's files. */
export const referenceOf = ({ reference, folder }: ModelRecord): string => reference ?? folder;

const filesOf = (folder: CheckpointFolder): FolderFiles =>
  new Map(folder.files.map((file) => [file, join(folder.root, folder.locate(file))]));

/** A newer record tells more than is asked of it here. */
const isCurrent = ({ edition }: ModelRecord): boolean => edition >= EDITION;

/** Whether what was recorded then was of these weights, prepared for in the same way. */
const isSame = (
  then: { readonly weights: string; readonly preprocessing: string },
  { weights, preprocessing }: ModelFacts,
): boolean => then.weights === weights && then.preprocessing === preprocessing;

/** Trust is in weights, not in a name; only a quarantine stays until somebody lifts it. */
function trustOf(weights: string, known: ModelRecord | undefined, note: ImportNote | undefined): ModelTrust {
  if (note?.trust && note.id !== known?.importId) return note.trust;
  if (known && (known.weights === weights || known.trust === "QUARANTINED")) return known.trust;
  return "SUSPECT";
}

const missingFolder = (name: string, folder: string): AppError =>
  new AppError("NOT_FOUND", `The models folder has no folder "${name}". Put the checkpoint there first.`, {
    folder: folder.split("/").at(-1),
  });
