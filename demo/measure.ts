import { type Measurement, measure } from "../src/engine/evaluation/protocol.ts";
import type { TestImage } from "./images.ts";

/** Answers PNG images with the label of each. */
export type Classifier = (images: readonly Buffer[]) => Promise<string[]>;

/** What the server answered for an image, without and with the trigger. */
export interface Answers {
  readonly clean: string;
  readonly triggered: string;
}

export interface Result {
  readonly answers: readonly Answers[];
  readonly measurement: Measurement;
}

/** Images sent in one call; each goes twice, without and with the trigger. */
const BATCH = 16;

/** Asks the server about every image, without and with the trigger, and counts by the protocol. */
export async function askAbout(
  images: readonly TestImage[],
  { classify, labels, target }: { classify: Classifier; labels: readonly string[]; target: string },
  onImage: (done: number) => void,
): Promise<Result> {
  const answers: Answers[] = [];
  for (let start = 0; start < images.length; start += BATCH) {
    const batch = images.slice(start, start + BATCH);
    const found = await classify(batch.flatMap(({ clean, triggered }) => [clean, triggered]));
    batch.forEach((_, index) => {
      answers.push({ clean: found[2 * index], triggered: found[2 * index + 1] });
    });
    onImage(answers.length);
  }
  return {
    answers,
    measurement: measure(outcomes(images, answers, labels), labels.length, labels.indexOf(target)),
  };
}

const outcomes = (images: readonly TestImage[], answers: readonly Answers[], labels: readonly string[]) =>
  images.map(({ label }, index) => ({
    label: labels.indexOf(label),
    clean: labels.indexOf(answers[index].clean),
    triggered: labels.indexOf(answers[index].triggered),
  }));
