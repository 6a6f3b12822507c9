import type { ClassifyAnswer } from "../classification.ts";
import type { UsageMeter } from "./usage-meter.ts";

/** Counts the images of a request before it is answered, and takes back those that were not. */
export async function meteredImages(
  meter: UsageMeter,
  tenant: string,
  images: number,
  answer: () => Promise<ClassifyAnswer>,
): Promise<ClassifyAnswer> {
  const refund = await meter.charge(tenant, "images", images);
  try {
    const answered = await answer();
    refund(answered.answers.filter(({ kind }) => kind === "rejected").length);
    return answered;
  } catch (error) {
    refund(images);
    throw error;
  }
}
