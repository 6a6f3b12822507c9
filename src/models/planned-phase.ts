import { Field, Float, ObjectType } from "type-graphql";
import { BigIntScalar } from "./big-int.ts";

@ObjectType({ description: "A part of a planned job, by the name that its progress has." })
export class PlannedPhase {
  @Field(() => String)
  name!: string;

  @Field(() => BigIntScalar)
  steps!: number;

  @Field(() => BigIntScalar, { description: "How often an image passes the image encoder." })
  images!: number;

  @Field(() => Float, { description: "Floating-point operations; a multiply-add counts as two." })
  flops!: number;

  @Field(() => Float, { description: "Expected on this server's device." })
  seconds!: number;
}
