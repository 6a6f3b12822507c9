import { createUnionType } from "type-graphql";
import { ImageRejected } from "./image-rejected.ts";
import { Prediction } from "./prediction.ts";

export const ImageOutcome = createUnionType({
  name: "ImageOutcome",
  types: () => [Prediction, ImageRejected] as const,
});
export type ImageOutcome = Prediction | ImageRejected;
