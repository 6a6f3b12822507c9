import { rm } from "node:fs/promises";
import { join } from "node:path";
import { openCheckpoint } from "../src/engine/clip/checkpoint.ts";
import type { Device } from "../src/engine/runtime/device.ts";
import { type Row, rowsOf } from "./compare.ts";
import { makeModel } from "./make-model.ts";
import { type ParityModel, sizeOfWeights, wholeOf } from "./model.ts";
import { answersOf, STEPS } from "./quantities.ts";

/** Work of a model in bytes: making its weights, and about as much for every part of the comparison. */
export const workOf = (model: ParityModel): number => (1 + STEPS) * sizeOfWeights(model);

/** Makes a model in `cache`, opens it as any checkpoint is opened, and compares it with its library. */
export async function checkModel(
  model: ParityModel,
  { cache, keep, device }: { readonly cache: string; readonly keep: boolean; readonly device: Device },
  advance: (work: number, what: string) => void = () => {},
): Promise<Row[]> {
  const bytes = sizeOfWeights(model);
  const folder = join(cache, `parity-${model.name}`);
  try {
    await makeModel(model, folder, (made) => advance(made, `makes ${model.name}`));
    const checkpoint = await openCheckpoint(folder);
    const given = { features: wholeOf(model, "imageEmbeddings"), matrix: wholeOf(model, "zeroShot") };
    const answers = await answersOf(checkpoint, { ...given, device }, () =>
      advance(bytes, `runs ${model.name}`),
    );
    return rowsOf(model, checkpoint, answers);
  } finally {
    if (!keep) await rm(folder, { recursive: true, force: true });
  }
}
