import { Field, Float, ObjectType } from "type-graphql";
import { DateTime } from "./date-time.ts";

@ObjectType({
  description:
    "Where a plan's seconds come from: some steps of the job's own programs, run in a process of their own on the same device and threads. Other work on the machine slows it down as it would the job.",
})
export class Calibration {
  @Field(() => Float, { description: "Operations a second of the image encoder." })
  imageFlopsPerSecond!: number;

  @Field(() => Float, {
    description:
      "Operations a second of images with the gradient with respect to the pixels; where weights are trained, of whole steps of training.",
  })
  gradientFlopsPerSecond!: number;

  @Field(() => Float, { description: "Operations a second of prompts and their gradient." })
  textFlopsPerSecond!: number;

  @Field(() => Float, {
    description:
      "To probe and save at the end of a tuning epoch; of a defence to save, which it does every 20 seconds.",
  })
  epochSeconds!: number;

  @Field(() => Float, { description: "To read and decode one shot." })
  decodeSeconds!: number;

  @Field(() => Float, { description: "How long it took; plans of the same size use it again." })
  seconds!: number;

  @Field(() => DateTime)
  measuredAt!: string;
}
