import { createHash } from "node:crypto";
import { AppError } from "../../errors.ts";
import { float32 } from "../onnx/tensor.ts";
import type { Program } from "../runtime/program.ts";
import type { Session } from "../runtime/session.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { preprocess } from "./preprocessing.ts";
import { imageProgram, textProgram } from "./programs.ts";
import { type TestText, testImage, testTexts } from "./self-test-inputs.ts";
import { tokenEmbeddings } from "./token-embeddings.ts";
import { encodePrompts } from "./zero-shot.ts";

/** One thing that holds for every sound CLIP. */
export interface SelfTestCheck {
  readonly name: CheckName;
  readonly passed: boolean;
  readonly measured: number;
  /** What `measured` may be at most; for `imagesDiffer` and `textsDiffer`, what it must exceed. */
  readonly limit: number;
}

/** What a model answered to a fixed input, short enough to keep. */
export interface RecordedEmbedding {
  /** `sha256:<hex>` of the embedding rounded to thousandths: equal on the same machine for the same weights. */
  readonly digest: string;
  /** The first eight values, or as many as there are. */
  readonly first: readonly number[];
}

export interface SelfTest {
  readonly passed: boolean;
  readonly checks: readonly SelfTestCheck[];
  readonly image: RecordedEmbedding;
  readonly text: RecordedEmbedding;
  /** Of one image and of one text, after the first of each. */
  readonly imageMilliseconds: number;
  readonly textMilliseconds: number;
  /** All of it, compiling included. */
  readonly seconds: number;
}

/** What each check says of a model that fails it. */
const FAILURES = {
  imageFinite: "its image embedding has values that are not numbers",
  textFinite: "its text embedding has values that are not numbers",
  imageNorm: "its image embedding does not have length 1",
  textNorm: "its text embedding does not have length 1",
  sameWidth: "its image and text embeddings differ in width",
  imageBatch: "an image's embedding depends on what else is in the batch",
  textBatch: "a text's embedding depends on what else is in the batch",
  textPadding: "a text's embedding depends on what follows its end",
  imagesDiffer: "it gives different images the same embedding",
  textsDiffer: "it gives different texts the same embedding",
} as const;

export type CheckName = keyof typeof FAILURES;

const NORM_LIMIT = 1e-5;
/** Kernels for other shapes add in another order; a batch that really leaks changes far more. */
const SAME_LIMIT = 1e-4;
const DIFFERENT_LIMIT = 1e-5;
const KEPT_VALUES = 8;
/** Between the first values of two recordings of the same weights, on whatever machine. */
const RECORDED_LIMIT = 5e-3;

/**
 * Embeds a fixed image and a fixed text and checks what must hold. `open` compiles a program, for example
 * `(program) => openSession(program, { device, threads })`. Resolves also where checks fail; fails as `open` does.
 */
export async function selfTest(
  open: (program: Program) => Promise<Session>,
  checkpoint: Checkpoint,
): Promise<SelfTest> {
  const start = performance.now();
  const image = await embedImages(open, checkpoint);
  const text = await embedTexts(open, checkpoint);
  const checks = [...imageChecks(image), ...textChecks(text), widthCheck(image, text)];
  return {
    passed: checks.every(({ passed }) => passed),
    checks,
    image: record(image.alone),
    text: record(text.alone),
    imageMilliseconds: image.milliseconds,
    textMilliseconds: text.milliseconds,
    seconds: (performance.now() - start) / 1000,
  };
}

/** Throws INVALID_CHECKPOINT, naming each failed check and what was measured, unless the self-test was passed. */
export function requirePassed({ checks }: SelfTest, name: string): void {
  const failed = checks.filter(({ passed }) => !passed);
  if (failed.length === 0) return;
  const reasons = failed.map((check) => `${FAILURES[check.name]} (${check.name}: ${check.measured})`);
  throw new AppError(
    "INVALID_CHECKPOINT",
    `"${name}" fails the self-test: ${reasons.join("; ")}. The weights are damaged or belong to another configuration.`,
    { checks: failed },
  );
}

/** Whether two self-tests of the same weights agree, as they do unless the runtime or the machine misbehaves. */
export function agrees(before: SelfTest, now: SelfTest): boolean {
  return sameEmbedding(before.image, now.image) && sameEmbedding(before.text, now.text);
}

function sameEmbedding(a: RecordedEmbedding, b: RecordedEmbedding): boolean {
  if (a.digest === b.digest) return true;
  // Rounding may fall to either side; the values themselves decide.
  return a.first.length === b.first.length && largestDifference(a.first, b.first) <= RECORDED_LIMIT;
}

interface Embedded {
  readonly alone: Float32Array;
  readonly other: Float32Array;
  /** The same as `alone`, beside `other` in a batch of two. */
  readonly inBatch: Float32Array;
  readonly milliseconds: number;
}

interface EmbeddedText extends Embedded {
  /** The same as `alone`, in a text tower of full length. */
  readonly padded: Float32Array;
  /** False where the tokenizer has no two different texts to offer. */
  readonly different: boolean;
}

async function embedImages(
  open: (program: Program) => Promise<Session>,
  checkpoint: Checkpoint,
): Promise<Embedded> {
  const { height, width } = checkpoint.architecture.image.imageSize;
  const images = [testImage(0), testImage(1)].map((image) => preprocess(image, checkpoint.preprocessing));
  const session = await open(imageProgram(checkpoint, { batch: "dynamic" }));
  const run = async (batch: readonly Float32Array[]) => {
    const pixels = new Float32Array(batch.length * 3 * height * width);
    batch.forEach((image, index) => {
      pixels.set(image, index * image.length);
    });
    const { embedding } = await session.run({ pixels: float32([batch.length, 3, height, width], pixels) });
    return rows(embedding.data as Float32Array, batch.length);
  };
  try {
    const [inBatch, other] = await run(images);
    await run([images[0]!]);
    const { value, milliseconds } = await timed(() => run([images[0]!]));
    return { alone: value[0]!, other: other!, inBatch: inBatch!, milliseconds };
  } finally {
    await session.close();
  }
}

async function embedTexts(
  open: (program: Program) => Promise<Session>,
  checkpoint: Checkpoint,
): Promise<EmbeddedText> {
  const texts = testTexts(checkpoint.tokenizer);
  const table = await tokenEmbeddings(checkpoint);
  const length = Math.max(...texts.map(({ ids }) => ids.length));
  const run = async (batch: readonly TestText[], positions: number) => {
    const program = textProgram(checkpoint, { classes: batch.length, length: positions });
    const session = await open(program);
    try {
      const ids = batch.map((text) => text.ids);
      const { tokens, endOfText } = encodePrompts(ids, table, positions);
      const first = await session.run({ tokens, endOfText });
      const { milliseconds } = await timed(() => session.run({ tokens, endOfText }));
      return { rows: rows(first.embedding!.data as Float32Array, batch.length), milliseconds };
    } finally {
      await session.close();
    }
  };
  const alone = await run(texts.slice(0, 1), length);
  const both = await run(texts, length);
  const padded = await run(texts.slice(0, 1), checkpoint.tokenizer.contextLength);
  return {
    alone: alone.rows[0]!,
    inBatch: both.rows[0]!,
    other: both.rows[1]!,
    padded: padded.rows[0]!,
    milliseconds: alone.milliseconds,
    different: texts[0]!.ids.join() !== texts[1]!.ids.join(),
  };
}

function imageChecks({ alone, other, inBatch }: Embedded): SelfTestCheck[] {
  return [
    atMost("imageFinite", notFinite(alone) + notFinite(other), 0),
    atMost("imageNorm", Math.abs(Math.hypot(...alone) - 1), NORM_LIMIT),
    atMost("imageBatch", largestDifference(alone, inBatch), SAME_LIMIT),
    moreThan("imagesDiffer", largestDifference(inBatch, other), DIFFERENT_LIMIT),
  ];
}

function textChecks({ alone, other, inBatch, padded, different }: EmbeddedText): SelfTestCheck[] {
  return [
    atMost("textFinite", notFinite(alone) + notFinite(other), 0),
    atMost("textNorm", Math.abs(Math.hypot(...alone) - 1), NORM_LIMIT),
    atMost("textBatch", largestDifference(alone, inBatch), SAME_LIMIT),
    atMost("textPadding", largestDifference(alone, padded), SAME_LIMIT),
    ...(different ? [moreThan("textsDiffer", largestDifference(inBatch, other), DIFFERENT_LIMIT)] : []),
  ];
}

const widthCheck = (image: Embedded, text: Embedded): SelfTestCheck =>
  atMost("sameWidth", Math.abs(image.alone.length - text.alone.length), 0);

// A measurement that is not a number passes neither.
const atMost = (name: CheckName, measured: number, limit: number): SelfTestCheck => ({
  name,
  passed: measured <= limit,
  measured,
  limit,
});

const moreThan = (name: CheckName, measured: number, limit: number): SelfTestCheck => ({
  name,
  passed: measured > limit,
  measured,
  limit,
});

function record(embedding: Float32Array): RecordedEmbedding {
  const rounded = Int16Array.from(embedding, (value) => Math.round(1000 * value));
  const bytes = new Uint8Array(rounded.buffer);
  return {
    digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`,
    first: Array.from(embedding.subarray(0, KEPT_VALUES), (value) => Number(value.toFixed(6))),
  };
}

async function timed<Value>(step: () => Promise<Value>): Promise<{ value: Value; milliseconds: number }> {
  const start = performance.now();
  return { value: await step(), milliseconds: performance.now() - start };
}

function rows(values: Float32Array, count: number): Float32Array[] {
  const width = values.length / count;
  return Array.from({ length: count }, (_, row) => values.slice(row * width, (row + 1) * width));
}

const notFinite = (values: Float32Array): number =>
  values.reduce((count, value) => count + (Number.isFinite(value) ? 0 : 1), 0);

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = 0;
  // What is not a number stays one.
  for (let index = 0; index < a.length; index++) largest = Math.max(largest, Math.abs(a[index]! - b[index]!));
  return largest;
}
