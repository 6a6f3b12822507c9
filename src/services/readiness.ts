import sharp from "sharp";
import { AppError, type ErrorCode } from "../errors.ts";
import type { Store } from "../store/store.ts";
import type { ModelRecord, ModelRegistry } from "./registry.ts";
import type { ServedModel, Serving } from "./serving.ts";

const KEPT_MILLISECONDS = 10_000;
/** How long one model may take to be loaded before the next is tried too. */
const PATIENCE_MILLISECONDS = 30_000;
/** In place of a digest: it is shared with no request. */
const PROBE = "readiness";

/** What is wrong with a model, wherever it is opened: no other server would do better with it. */
const MODELS_OWN: ReadonlySet<ErrorCode> = new Set([
  "INVALID_CHECKPOINT",
  "INCOMPATIBLE_MODEL",
  "UNSUPPORTED_ARCHITECTURE",
  "UNSAFE_ARTIFACT",
  "INVALID_GRAPH",
  "NOT_FOUND",
]);

/** Where a model that cannot be opened is told; pino's loggers fit. */
interface ModelLogger {
  warn(facts: object, message: string): void;
}

/** What a ready server has to say all the same. */
export interface Ready {
  readonly detail?: string;
}

/**
 * Whether the server can answer: the store does, each time; and a grey image goes all the way through a model, at most
 * every ten seconds. One model that is broken or slow is no reason to take the others out of service.
 */
export class Readiness {
  private last: { readonly at: number; readonly outcome: Promise<Ready> } | undefined;
  /** What the server was ready with before; it then never waits for a model to be loaded. */
  private before: Ready | undefined;
  private leaving = false;

  constructor(
    private readonly models: Pick<ModelRegistry, "list">,
    private readonly serving: Pick<Serving, "loaded" | "model">,
    private readonly store: Pick<Store, "check">,
    private readonly logger: ModelLogger,
    private readonly patienceMilliseconds = PATIENCE_MILLISECONDS,
  ) {}

  /** Without any model there is nothing to answer with, and the server is ready to be given one. */
  async assert(): Promise<Ready> {
    if (this.leaving) throw new AppError("OVERLOADED", "The server is stopping.");
    await this.store.check();
    const now = performance.now();
    if (!this.last || now - this.last.at > KEPT_MILLISECONDS) this.last = { at: now, outcome: this.probe() };
    return this.last.outcome;
  }

  /** From now on the server is not ready, so that a balancer sends no more requests. */
  leave(): void {
    this.leaving = true;
  }

  private async probe(): Promise<Ready> {
    const models = (await this.models.list()).filter(({ trust }) => trust !== "QUARANTINED");
    const loaded = models.flatMap((model) => this.serving.loaded(model) ?? []);
    this.before = loaded.length > 0 ? await askLoaded(loaded) : (this.before ?? (await this.open(models)));
    return this.before;
  }

  /** Loads one model after the other until one answers. */
  private async open(models: readonly ModelRecord[]): Promise<Ready> {
    const failures: unknown[] = [];
    for (const model of models) {
      try {
        await encodeGrey(await this.load(model));
        return {};
      } catch (error) {
        this.logger.warn({ model: model.name, reason: String(error) }, "a model cannot be opened");
        failures.push(error);
      }
    }
    const own = failures.find((error) => !isModelsOwn(error));
    if (own) throw own;
    return failures.length > 0 ? { detail: "None of the models can be opened; the log says why." } : {};
  }

  /** Fails with OVERLOADED when it takes long; the model goes on being loaded. */
  private async load(model: ModelRecord): Promise<ServedModel> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const slow = () => reject(new AppError("OVERLOADED", `Model "${model.name}" is still being loaded.`));
      timer = setTimeout(slow, this.patienceMilliseconds);
    });
    return Promise.race([this.serving.model(model), late]).finally(() => clearTimeout(timer));
  }
}

/** The idlest first: one that many images wait for says nothing about the others. */
async function askLoaded(models: readonly ServedModel[]): Promise<Ready> {
  const idlestFirst = [...models].sort((one, other) => one.waitingImages - other.waitingImages);
  let failure: unknown;
  for (const model of idlestFirst) {
    try {
      await encodeGrey(model);
      return {};
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

async function encodeGrey(model: ServedModel): Promise<void> {
  const grey = { r: 128, g: 128, b: 128 };
  const image = await sharp({ create: { width: 8, height: 8, channels: 3, background: grey } })
    .png()
    .toBuffer();
  await model.encode(image, PROBE);
}

const isModelsOwn = (error: unknown): boolean => error instanceof AppError && MODELS_OWN.has(error.code);
