import { AppError } from "../../errors.ts";
import type { TowerModel } from "../clip/towers.ts";
import { float32, int64, type Tensor } from "../onnx/tensor.ts";
import { openSession, type Session, type SessionOptions, type Tensors } from "../runtime/session.ts";
import { ADAMW, stepNumbers } from "./adamw.ts";
import { type Layout, layoutOf } from "./layout.ts";
import { type StepOptions, stepProgram } from "./program.ts";
import { rateAt, type Schedule } from "./schedule.ts";
import type { GroupState, TrainingState } from "./state.ts";

export interface TrainerOptions extends Omit<StepOptions, "device">, SessionOptions {
  readonly schedule: Schedule;
}

/** Images and their captions, one each. */
export interface PairBatch {
  /** uint8 [N, 3, H, W] */
  readonly pixels: Uint8Array;
  /** Token ids from the start of text to its end. */
  readonly captions: readonly (readonly number[])[];
  /** Inputs that the loss has added. */
  readonly others?: Tensors;
}

/** Makes steps of training: the same state and batch give the same next state, bit for bit, on the same machine. */
export class Trainer {
  private constructor(
    readonly layout: Layout,
    private readonly model: TowerModel,
    private readonly options: TrainerOptions,
    private readonly session: Session,
  ) {}

  /** Compiles the step, which takes a second or more. */
  static async open(model: TowerModel, options: TrainerOptions): Promise<Trainer> {
    const layout = layoutOf(model.architecture);
    const session = await openSession(stepProgram(model, layout, options), options);
    return new Trainer(layout, model, options, session);
  }

  /** The state after one more step, and the loss before it. Throws DIVERGED where the loss is no number. */
  async step(state: TrainingState, batch: PairBatch): Promise<{ state: TrainingState; loss: number }> {
    const { schedule, optimiser = ADAMW } = this.options;
    const numbers = stepNumbers(optimiser, rateAt(schedule, state.step), state.step + 1);
    const out = await this.session.run({
      ...this.pairs(batch),
      ...groupFeeds("matrices", state.matrices),
      ...groupFeeds("vectors", state.vectors),
      ...(state.statistics.length > 0 ? { statistics: flat(state.statistics) } : {}),
      ...Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, float32([], [value])])),
    });
    const loss = Number(out.loss.data[0]);
    if (!Number.isFinite(loss)) throw diverged(state.step, loss);
    const next: TrainingState = {
      step: state.step + 1,
      matrices: groupOf("matrices", out),
      vectors: groupOf("vectors", out),
      statistics: (out["statistics.next"]?.data as Float32Array | undefined) ?? state.statistics,
    };
    return { state: next, loss };
  }

  close(): Promise<void> {
    return this.session.close();
  }

  private pairs({ pixels, captions, others = {} }: PairBatch): Tensors {
    const { batch, length } = this.options;
    const { height, width } = this.model.architecture.image.imageSize;
    const shape = [batch, 3, height, width];
    return {
      pixels: { type: "uint8", shape, data: pixels },
      ...captionFeeds(captions, length, this.model.architecture.text.paddingToken),
      ...others,
    };
  }
}

/** `tokens` [N, L] and `endOfText` [N, L, 1] of token ids. Throws VALIDATION_FAILED for a caption longer than L. */
export function captionFeeds(
  captions: readonly (readonly number[])[],
  length: number,
  padding: number,
): { tokens: Tensor; endOfText: Tensor } {
  const tokens = new BigInt64Array(captions.length * length).fill(BigInt(padding));
  const marks = new Float32Array(captions.length * length);
  captions.forEach((ids, row) => {
    if (ids.length > length)
      throw new AppError(
        "VALIDATION_FAILED",
        `A caption has ${ids.length} tokens, but ${length} are trained on.`,
      );
    ids.forEach((id, position) => {
      tokens[row * length + position] = BigInt(id);
    });
    marks[row * length + ids.length - 1] = 1;
  });
  return {
    tokens: int64([captions.length, length], tokens),
    endOfText: float32([captions.length, length, 1], marks),
  };
}

const flat = (values: Float32Array): Tensor => float32([values.length], values);

const PARTS = ["weights", "first", "second"] as const;

function groupFeeds(name: string, group: GroupState): Tensors {
  return Object.fromEntries(PARTS.map((part) => [`${name}.${part}`, flat(group[part])]));
}

function groupOf(name: string, out: Tensors): GroupState {
  const [weights, first, second] = PARTS.map((part) => out[`${name}.${part}.next`].data as Float32Array);
  return { weights, first, second };
}

function diverged(step: number, loss: number): AppError {
  const message = `Training fell apart at step ${step + 1}: the loss is ${loss}. Lower the learning rate.`;
  return new AppError("DIVERGED", message, { step });
}
