import type { Checkpoint } from "../src/engine/clip/checkpoint.ts";
import type { Golden, ParityModel } from "./model.ts";
import { type Answers, QUANTITIES, type Quantity } from "./quantities.ts";
import { type Distance, distance, distanceToSketch } from "./sketch.ts";

/** A line of the table: something measured, and what it may be at most. */
export interface Row {
  readonly model: string;
  readonly quantity: string;
  readonly measure: "relative error" | "1 − cosine" | "difference";
  readonly measured: number;
  readonly limit: number;
  /** The same of the library itself in float32, where the truth is the library in float64. */
  readonly library?: number;
}

/** A measurement that is not a number passes nothing. */
export const passed = ({ measured, limit }: Row): boolean => measured <= limit;

const EMBEDDING_LIMIT = 1e-4;
const GRADIENT_LIMIT = 5e-6;
/** A unit near zero passes its gradient or not, by the last digit of its input: no two implementations agree. */
const RELU_COSINE_GAP = 1e-4;

/** Compares the engine's answers with the golden ones. */
export function rowsOf(model: ParityModel, { architecture }: Checkpoint, { values, texts }: Answers): Row[] {
  const hasKinks = architecture.image.kind === "resnet";
  const compared = (Object.keys(QUANTITIES) as Quantity[]).map((key): Row => {
    const golden = model.golden[key];
    const apart = distanceTo(golden, values[key]);
    const common = { model: model.name, quantity: QUANTITIES[key] };
    if (hasKinks && key.endsWith("InversionGradient")) {
      const { libraryCosineGap: library } = golden;
      const measured = apart.cosineGap;
      return { ...common, measure: "1 − cosine", measured, limit: RELU_COSINE_GAP, library };
    }
    const limit = key.endsWith("Gradient") ? GRADIENT_LIMIT : EMBEDDING_LIMIT;
    const { libraryError: library } = golden;
    return { ...common, measure: "relative error", measured: apart.relative, limit, library };
  });
  return [...compared, cutRow(model.name, texts, architecture.embeddingWidth)];
}

/** Cutting prompts after their end of text changes no bit. */
export function cutRow(model: string, { cut, whole }: Answers["texts"], width: number): Row {
  const { relative: measured } = worstRow(cut, whole, width);
  const quantity = "text embeddings, cut against whole context";
  return { model, quantity, measure: "relative error", measured, limit: 0 };
}

/** Of embeddings the worst row; of losses and gradients all together. */
function distanceTo({ values, shape, norm }: Golden, answer: Float32Array): Distance {
  if ("sketch" in values) return distanceToSketch(answer, values.sketch, norm);
  return worstRow(answer, values.whole, shape.length === 2 ? shape[1]! : values.whole.length);
}

function worstRow(answer: Float32Array, truth: Float32Array, width: number): Distance {
  if (answer.length !== truth.length) return { relative: Number.NaN, cosineGap: Number.NaN };
  const rows = Array.from({ length: truth.length / width }, (_, row) =>
    distance(answer.subarray(row * width, (row + 1) * width), truth.subarray(row * width, (row + 1) * width)),
  );
  return {
    relative: Math.max(...rows.map(({ relative }) => relative)),
    cosineGap: Math.max(...rows.map(({ cosineGap }) => cosineGap)),
  };
}
