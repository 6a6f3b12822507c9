import { registerEnumType } from "type-graphql";
import { WORD_METRICS } from "../engine/cbpt/nearest-words.ts";

export const WordMetric = Object.fromEntries(WORD_METRICS.map((metric) => [metric, metric]));

registerEnumType(WordMetric, {
  name: "WordMetric",
  description: "How near a context vector is to a token's vector.",
  valuesConfig: {
    COSINE: { description: "1 − cosine, 0 to 2: by direction alone." },
    EUCLIDEAN: { description: "The Euclidean distance, as CoOp reads its prompts." },
  },
});
