import sharp from "sharp";
import { AppError } from "../errors.ts";
import type { Store } from "../store/store.ts";
import type { ModelRegistry } from "./registry.ts";
import type { Serving } from "./serving.ts";

const KEPT_MILLISECONDS = 10_000;
/** In place of a digest: it is shared with no request. */
const PROBE = "readiness";

/** Whether the server can answer: the store does, each time; and a grey image goes all the way through a model, at most every ten seconds. */
export class Readiness {
  private last: { readonly at: number; readonly outcome: Promise<void> } | undefined;
  private leaving = false;

  constructor(
    private readonly models: ModelRegistry,
    private readonly serving: Serving,
    private readonly store: Store,
  ) {}

  /** Without any model there is nothing to answer with, and the server is ready to be given one. */
  async assert(): Promise<void> {
    if (this.leaving) throw new AppError("OVERLOADED", "The server is stopping.");
    await this.store.check();
    const now = performance.now();
    if (!this.last || now - this.last.at > KEPT_MILLISECONDS) this.last = { at: now, outcome: this.probe() };
    await this.last.outcome;
  }

  /** From now on the server is not ready, so that a balancer sends no more requests. */
  leave(): void {
    this.leaving = true;
  }

  private async probe(): Promise<void> {
    const model = (await this.models.list()).find(({ trust }) => trust !== "QUARANTINED");
    if (!model) return;
    const grey = { r: 128, g: 128, b: 128 };
    const image = await sharp({ create: { width: 8, height: 8, channels: 3, background: grey } })
      .png()
      .toBuffer();
    await (await this.serving.model(model)).encode(image, PROBE);
  }
}
