import { builtArchitecture, type ClipArchitecture } from "./architecture.ts";
import { resNetTensors } from "./resnet.ts";
import { textTransformerTensors } from "./text-transformer.ts";
import { visionTransformerTensors } from "./vision-transformer.ts";
import { type ExpectedTensor, named } from "./weights.ts";

/** Every tensor that the two towers read, by open_clip's names. Throws as `builtArchitecture` does. */
export function expectedTensors(architecture: ClipArchitecture): ExpectedTensor[] {
  const { image, text, embeddingWidth } = builtArchitecture(architecture);
  const imageTensors =
    image.kind === "resnet"
      ? resNetTensors(image, embeddingWidth)
      : visionTransformerTensors(image, embeddingWidth);
  return [...named("visual", imageTensors), ...textTransformerTensors(text, embeddingWidth)];
}
