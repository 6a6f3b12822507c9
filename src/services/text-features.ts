import type { GuardedText } from "../engine/cbpt/guard.ts";
import { readText } from "../engine/cbpt/prompt-tensors.ts";
import { readSafetensors } from "../engine/clip/safetensors.ts";
import type { BlobStore } from "../store/store.ts";
import { LeastRecent } from "./least-recent.ts";
import type { VersionRecord } from "./prompts.ts";

/** The text features that a version answers with. */
export type VersionText = Omit<GuardedText, "undefended">;

/** Those of versions, read from their artifacts; they never change, so they are kept. */
export class TextFeatures {
  private readonly kept = new LeastRecent<Promise<VersionText>>(256);

  constructor(private readonly blobs: BlobStore) {}

  read({ artifact }: VersionRecord): Promise<VersionText> {
    const known = this.kept.get(artifact.digest);
    if (known) return known;
    const reading = this.load(artifact.digest);
    this.kept.set(artifact.digest, reading);
    reading.catch(() => this.kept.delete(artifact.digest));
    return reading;
  }

  private async load(digest: string): Promise<VersionText> {
    return readText(await readSafetensors(await this.blobs.file(digest)));
  }
}
