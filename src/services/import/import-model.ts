import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { openCheckpoint } from "../../engine/clip/index.ts";
import { requirePassed } from "../../engine/clip/self-test.ts";
import { AppError } from "../../errors.ts";
import { inspect, type ModelFacts } from "../inspection.ts";
import { checkName } from "../names.ts";
import { type NormalisationChoice, withNormalisation } from "../normalisation.ts";
import { readOverrides, writeOverrides } from "../overrides-file.ts";
import type { ModelTrust } from "../registry.ts";
import type { RecordedSelfTest, SelfTester } from "../self-testing.ts";
import { writeNote } from "./note.ts";
import { type Gathered, gather, type SourceOptions } from "./source.ts";
import { Workplace } from "./workplace.ts";

export interface ImportRequest extends SourceOptions {
  readonly modelsFolder: string;
  /** The model's name; by default that of the source. */
  readonly name?: string;
  readonly trust?: ModelTrust;
  readonly normalisation?: NormalisationChoice;
  /** Whether a model of that name gives way, once the new one has passed its self-test. */
  readonly replace: boolean;
  readonly test: SelfTester;
  /** Told what is done next. */
  readonly onStage?: (stage: string) => void;
}

export interface ImportReport extends ModelFacts {
  readonly name: string;
  readonly folder: string;
  readonly source: string;
  readonly leftOut: readonly string[];
  readonly selfTest: RecordedSelfTest;
}

/**
 * Brings a checkpoint into the models folder: all of it, or nothing. It is prepared beside the models, opened and
 * tested there, and then moved in at once. Fails as reading the source, `openCheckpoint` and the self-test do, with
 * VALIDATION_FAILED for a name that is none or taken, and with INVALID_CONFIGURATION where the models folder cannot
 * be written to. After a download that broke off, what has arrived is kept for the next try.
 */
export async function importModel(request: ImportRequest): Promise<ImportReport> {
  const workplace = new Workplace(request.modelsFolder);
  try {
    if (request.name !== undefined) await checkTarget(request.name, request, workplace);
    request.onStage?.("Looking at the source");
    const gathered = await gather(request, workplace);
    return await bringIn(gathered, request, workplace).catch(async (error) => {
      if (!isCancelled(error)) await gathered.discard();
      throw error;
    });
  } catch (error) {
    throw explained(error);
  }
}

async function checkTarget(name: string, { replace }: ImportRequest, workplace: Workplace): Promise<void> {
  checkName("The model", name);
  if (!replace) await workplace.assertFree(name);
}

async function bringIn(
  gathered: Gathered,
  request: ImportRequest,
  workplace: Workplace,
): Promise<ImportReport> {
  const name = request.name ?? gathered.name;
  await checkTarget(name, request, workplace);
  return workplace.staged(name, gathered.files, async (folder) => {
    request.onStage?.("Reading the checkpoint");
    const overrides = withNormalisation(await readOverrides(folder), request.normalisation);
    if (request.normalisation !== undefined) await writeOverrides(folder, overrides);
    const facts = await inspect(await openCheckpoint(folder), overrides);
    request.onStage?.("Testing it");
    const selfTest = await request.test(folder);
    requirePassed(selfTest, name);
    if (request.hub.signal?.aborted) throw new AppError("CANCELLED", "The import was stopped.");
    await workplace.publish(folder, name, request.replace);
    const { weights, preprocessing } = facts;
    await writeNote(workplace.note(name), {
      id: randomUUID(),
      source: gathered.origin,
      importedAt: selfTest.at,
      weights,
      preprocessing,
      trust: request.trust,
      selfTest,
    });
    await gathered.discard();
    const { origin: source, leftOut } = gathered;
    return { ...facts, name, folder: join(request.modelsFolder, name), source, leftOut, selfTest };
  });
}

const isCancelled = (error: unknown): boolean => error instanceof AppError && error.code === "CANCELLED";

const WRITING: Readonly<Record<string, string>> = {
  ENOSPC: "has no room left. Make room, or name another with --models-dir",
  EDQUOT: "has no room left for this user. Make room, or name another with --models-dir",
  EACCES: "may not be written to by this user. Change its permissions, or name another with --models-dir",
  EROFS: "cannot be written to. Name another with --models-dir",
};

/** What the file system says, in words that help. */
function explained(error: unknown): unknown {
  const reason = WRITING[(error as NodeJS.ErrnoException).code ?? ""];
  if (error instanceof AppError || !reason) return error;
  return new AppError("INVALID_CONFIGURATION", `The models folder ${reason}.`, {}, { cause: error });
}
