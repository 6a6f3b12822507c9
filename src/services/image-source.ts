import type { ImageProblem } from "../engine/clip/decoding.ts";
import { AppError } from "../errors.ts";
import type { SampleImages } from "./samples.ts";

/** An encoded image of a request, wherever it comes from. */
export type ImageSource =
  /** Fails with an ImageError, e.g. TOO_LARGE while it is being received. */
  | { readonly kind: "bytes"; readonly read: () => Promise<Uint8Array> }
  | { readonly kind: "asset"; readonly id: string };

export type ImageProblemCode = ImageProblem | "ASSET_NOT_FOUND";

const PROBLEMS: ReadonlySet<unknown> = new Set<ImageProblemCode>([
  "UNDECODABLE",
  "TOO_LARGE",
  "TOO_SMALL",
  "TOO_MANY_PIXELS",
  "UNSUPPORTED_TYPE",
  "ASSET_NOT_FOUND",
]);

/** What concerns one image alone; undefined for every other error. It may have come from a worker thread. */
export function imageProblemOf(error: unknown): ImageProblemCode | undefined {
  const code = error instanceof AppError ? error.details.code : undefined;
  return PROBLEMS.has(code) ? (code as ImageProblemCode) : undefined;
}

/** The encoded bytes. */
export async function readImage(source: ImageSource, samples: SampleImages): Promise<Uint8Array> {
  if (source.kind === "bytes") return source.read();
  const sample = samples.get(source.id);
  if (sample) return sample.bytes;
  throw new AppError("NOT_FOUND", `There is no asset "${source.id.slice(0, 120)}". \`assets\` lists them.`, {
    code: "ASSET_NOT_FOUND",
  });
}
