import { Field, Int, InterfaceType } from "type-graphql";
import { DateTime } from "./date-time.ts";

@InterfaceType({ description: "What a job tells. Events are kept, so a subscription can begin anywhere." })
export abstract class JobEvent {
  @Field(() => Int, { description: "From 1, without gaps; give the last one seen as `afterSeq` to go on." })
  seq!: number;

  @Field(() => DateTime)
  at!: string;
}
