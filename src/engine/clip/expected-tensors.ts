import type { ClipArchitecture } from "./architecture.ts";
import { resNetTensors } from "./resnet.ts";
import { textTransformerTensors } from "./text-transformer.ts";
import { visionTransformerTensors } from "./vision-transformer.ts";
import type { ExpectedTensor } from "./weights.ts";

/** Every tensor that the two towers read; those of the text tower begin with `textPrefix`. */
export function expectedTensors(architecture: ClipArchitecture, textPrefix: string): ExpectedTensor[] {
  const { image, text, embeddingWidth } = architecture;
  const imageTensors =
    image.kind === "resnet"
      ? resNetTensors(image, embeddingWidth)
      : visionTransformerTensors(image, embeddingWidth);
  const prefixed = (prefix: string, tensors: readonly ExpectedTensor[]): ExpectedTensor[] =>
    tensors.map(([name, shape]) => [prefix + name, shape]);
  return [
    ...prefixed("visual.", imageTensors),
    ...prefixed(textPrefix, textTransformerTensors(text, embeddingWidth)),
  ];
}
