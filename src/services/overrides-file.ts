import { randomUUID } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type CheckpointOverrides, OVERRIDES_FILE, parseOverrides } from "../engine/clip/overrides.ts";
import { AppError } from "../errors.ts";
import { isEmpty } from "./normalisation.ts";

/** The overrides in a model's folder; none where there is no file. Fails with INVALID_CHECKPOINT. */
export async function readOverrides(folder: string): Promise<CheckpointOverrides> {
  const text = await readFile(join(folder, OVERRIDES_FILE), "utf8").catch(() => undefined);
  return text === undefined ? {} : parseOverrides(parseJson(text, OVERRIDES_FILE));
}

/** Writes them, at once or not at all; no file for none. Fails with INVALID_CONFIGURATION for a folder that is not writable. */
export async function writeOverrides(folder: string, overrides: CheckpointOverrides): Promise<void> {
  const path = join(folder, OVERRIDES_FILE);
  try {
    if (isEmpty(overrides)) return await rm(path, { force: true });
    const temporary = `${path}.${randomUUID()}`;
    await writeFile(temporary, `${JSON.stringify(overrides, null, 2)}\n`);
    await rename(temporary, path);
  } catch (cause) {
    const message = `${OVERRIDES_FILE} cannot be written into the model's folder. Make the folder writable for the server, or put the file there: ${JSON.stringify(overrides)}.`;
    throw new AppError("INVALID_CONFIGURATION", message, { file: OVERRIDES_FILE }, { cause });
  }
}

/** Fails with INVALID_CHECKPOINT naming the file. */
export function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError("INVALID_CHECKPOINT", `${file} is not valid JSON.`, { file }, { cause });
  }
}
