import { join } from "node:path";
import { encodeSafetensors } from "../../engine/clip/safetensors.ts";
import type { DefendedPrompts } from "../../engine/defences/defence.ts";
import { writeDurably } from "../../store/durable-file.ts";

const ARTIFACT = "prompts.safetensors";

/** Writes `contexts` [C, M, d] and `text_features` [C, D] as safetensors into a job's folder; the file's name. */
export async function writePrompts(
  folder: string,
  classes: number,
  { contexts, textFeatures }: Pick<DefendedPrompts, "contexts" | "textFeatures">,
): Promise<string> {
  const bytes = encodeSafetensors([
    { name: "contexts", shape: [classes, contexts.tokens, contexts.width], data: contexts.values },
    { name: "text_features", shape: [classes, textFeatures.length / classes], data: textFeatures },
  ]);
  await writeDurably(join(folder, ARTIFACT), bytes);
  return ARTIFACT;
}
