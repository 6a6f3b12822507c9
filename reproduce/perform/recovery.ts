import { gatherRows, predictions } from "../../src/engine/cbpt/features.ts";
import { guardedPredictions, isDoubted } from "../../src/engine/cbpt/guard.ts";
import { linearPredictions } from "../../src/engine/evaluation/linear-probe.ts";
import { count } from "../../src/engine/evaluation/rate.ts";
import { OBJECTS } from "../../zoo/scenes/objects.ts";
import { need, type Performer } from "./context.ts";
import { readAnswering } from "./defend.ts";
import { readFeatures } from "./encode.ts";

/** How many triggered images get their own class again, by whom, and how many there are to get. */
export const recovery: Performer<"recovery"> = async (cell, { archive }) => {
  const text = await readAnswering(archive, need(cell, "purified"), cell.needs.undefended);
  const { clean, triggered } = await readFeatures(archive, need(cell, "encoded"));
  const { labels } = await archive.result(need<"render">(cell, "test"));
  const target = (OBJECTS as readonly string[]).indexOf(cell.input.target);
  const width = text.purified.length / OBJECTS.length;
  const others = labels.flatMap((label, index) => (label === target ? [] : [index]));
  const attacked = {
    features: gatherRows(triggered as Float32Array, width, others),
    labels: others.map((index) => labels[index]),
  };
  const right = (answers: readonly number[], truth: readonly number[]) =>
    count(answers, (answer, index) => answer === truth[index]);
  const recovered = (features: Float32Array) => guardedPredictions(features, text, width);
  const looked = await archive.result(need<"look">(cell, "looked"));
  const lookedAgain = others.map((index) => (looked.triggered as readonly number[])[index]);
  const fooled = (answers: readonly number[]) => count(answers, (answer) => answer === target);
  const doubted = (features: Float32Array) => {
    const [before, after] = [text.undefended, text.purified].map((one) => predictions(features, one, width));
    return count(before, (label, index) => isDoubted(text, label, after[index]));
  };
  return {
    undefended: right(predictions(attacked.features, text.undefended, width), attacked.labels),
    purified: right(predictions(attacked.features, text.purified, width), attacked.labels),
    recovered: right(recovered(attacked.features), attacked.labels),
    lookedAgain: right(lookedAgain, attacked.labels),
    linear: right(linearly(attacked, width), attacked.labels),
    answered: { clean: doubted(clean), triggered: doubted(attacked.features) },
    ca: {
      purified: right(predictions(clean, text.purified, width), labels),
      recovered: right(recovered(clean), labels),
      lookedAgain: right(looked.clean, labels),
    },
    asr: {
      purified: fooled(predictions(attacked.features, text.purified, width)),
      recovered: fooled(recovered(attacked.features)),
      lookedAgain: fooled(lookedAgain),
    },
  };
};

/** Each half of the images by a classifier that has seen the other half: in turns, so that both have every class. */
function linearly(
  { features, labels }: { readonly features: Float32Array; readonly labels: readonly number[] },
  width: number,
): number[] {
  const answers: number[] = [];
  for (const half of [0, 1]) {
    const [seen, tested] = [1 - half, half].map((turn) =>
      labels.flatMap((_, index) => (index % 2 === turn ? [index] : [])),
    );
    const known = { features: gatherRows(features, width, seen), labels: seen.map((index) => labels[index]) };
    const found = linearPredictions(known, gatherRows(features, width, tested), {
      width,
      classes: OBJECTS.length,
    });
    tested.forEach((index, place) => {
      answers[index] = found[place];
    });
  }
  return answers;
}
