import { Field, Float, Int, ObjectType } from "type-graphql";
import { JobEvent } from "./job-event.ts";
import { Loss } from "./loss.ts";

@ObjectType({ implements: JobEvent, description: "Progress within a phase." })
export class StepMetrics extends JobEvent {
  @Field(() => String, { description: "What is being done, e.g. invert or tune." })
  phase!: string;

  @Field(() => Int)
  epoch!: number;

  @Field(() => Int)
  epochs!: number;

  @Field(() => Int)
  step!: number;

  @Field(() => Int)
  steps!: number;

  @Field(() => [Loss])
  losses!: Loss[];

  @Field(() => Float)
  imagesPerSecond!: number;

  @Field(() => Float, { description: "Of the whole job, 0 to 1." })
  progress!: number;

  @Field(() => Float, { nullable: true, description: "None until it is known how fast steps are." })
  etaSeconds?: number;
}
