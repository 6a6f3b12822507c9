import { dot, row } from "../engine/cbpt/features.ts";
import type { NearWord, WordMetric } from "../engine/cbpt/nearest-words.ts";
import { readFloats, readSafetensors } from "../engine/clip/safetensors.ts";
import type { BlobStore } from "../store/store.ts";
import { LeastRecent } from "./least-recent.ts";
import type { VersionRecord } from "./prompts.ts";
import type { ModelRegistry } from "./registry.ts";
import type { ServedModel, Serving } from "./serving.ts";
import type { TextFeatures } from "./text-features.ts";

/** Where tuning has moved a class. */
export interface ClassMeaning {
  /** Cosine distance of its text feature from its undefended one. */
  readonly shift: number;
  /** Place of its own undefended text feature among those of all classes, by similarity to its purified one, from 1. */
  readonly rank: number;
  /** The label of the first. */
  readonly nearestLabel: string;
}

interface ReadableOptions {
  readonly blobs: BlobStore;
  readonly models: ModelRegistry;
  readonly serving: Serving;
  readonly features: TextFeatures;
}

const VERSIONS_KEPT = 64;
/** Most words for a context vector. */
export const MOST_WORDS = 10;
/** Classes that are compared with all others before anything else has its turn. */
const CLASSES_AT_ONCE = 8;

/** What learned prompts say, for people. A version never changes, so all is computed once for as long as it is kept. */
export class ReadablePrompts {
  private readonly meanings = new LeastRecent<Promise<ClassMeaning[]>>(VERSIONS_KEPT);
  private readonly words = new LeastRecent<Promise<NearWord[][]>>(VERSIONS_KEPT);

  constructor(private readonly options: ReadableOptions) {}

  /** Class by class. Fails with INCOMPATIBLE_MODEL when the model is gone. */
  meaningsOf(version: VersionRecord): Promise<ClassMeaning[]> {
    return remembered(this.meanings, version.artifact.digest, () => this.compare(version));
  }

  /** The ten nearest words of each context vector of a class. Fails as `meaningsOf`. */
  async wordsOf(version: VersionRecord, place: number, metric: WordMetric): Promise<NearWord[][]> {
    const key = `${metric} ${version.artifact.digest}`;
    const all = await remembered(this.words, key, () => this.read(version, metric));
    const { contextTokens } = version.manifest;
    return all.slice(place * contextTokens, (place + 1) * contextTokens);
  }

  private async compare(version: VersionRecord): Promise<ClassMeaning[]> {
    const { labels, templates } = version.manifest;
    const model = await this.modelOf(version);
    const before = await model.matrix(labels, templates);
    const { purified: after } = await this.options.features.read(version);
    const width = model.checkpoint.architecture.embeddingWidth;
    const meanings: ClassMeaning[] = [];
    for (const place of labels.keys()) {
      if (place % CLASSES_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
      const own = row(after, width, place);
      const cosines = labels.map((_, label) => dot(own, row(before, width, label)));
      const rank = 1 + cosines.filter((cosine) => cosine > cosines[place]).length;
      const nearest = cosines.reduce((best, cosine, label) => (cosine > cosines[best] ? label : best), place);
      meanings.push({ shift: 1 - cosines[place], rank, nearestLabel: labels[nearest] });
    }
    return meanings;
  }

  private async read(version: VersionRecord, metric: WordMetric): Promise<NearWord[][]> {
    const model = await this.modelOf(version);
    const file = await readSafetensors(await this.options.blobs.file(version.artifact.digest));
    return model.nearestWords(await readFloats(file, "contexts"), { metric, count: MOST_WORDS });
  }

  private async modelOf(version: VersionRecord): Promise<ServedModel> {
    const { models, serving } = this.options;
    return serving.model(await models.ofVersion(version));
  }
}

/** What is kept under the key, or else made now; a failure is not kept. */
function remembered<Made>(
  kept: LeastRecent<Promise<Made>>,
  key: string,
  make: () => Promise<Made>,
): Promise<Made> {
  const known = kept.get(key);
  if (known) return known;
  const made = make();
  kept.set(key, made);
  made.catch(() => kept.delete(key));
  return made;
}
