import { readFloats, readSafetensors } from "../engine/clip/safetensors.ts";
import type { BlobStore } from "../store/store.ts";
import { LeastRecent } from "./least-recent.ts";
import type { VersionRecord } from "./prompts.ts";

/** The purified text matrices [C, D] of versions, read from their artifacts; they never change, so they are kept. */
export class TextFeatures {
  private readonly kept = new LeastRecent<Promise<Float32Array>>(256);

  constructor(private readonly blobs: BlobStore) {}

  read({ artifact }: VersionRecord): Promise<Float32Array> {
    const known = this.kept.get(artifact.digest);
    if (known) return known;
    const reading = this.load(artifact.digest);
    this.kept.set(artifact.digest, reading);
    reading.catch(() => this.kept.delete(artifact.digest));
    return reading;
  }

  private async load(digest: string): Promise<Float32Array> {
    return readFloats(await readSafetensors(await this.blobs.file(digest)), "text_features");
  }
}
