import { Field, Float, Int, ObjectType } from "type-graphql";

@ObjectType({
  description: "Cost units of the tenant. Each operation takes its cost; past the limit it is THROTTLED.",
})
export class Budget {
  @Field(() => Int, { description: "Units of a minute." })
  limit!: number;

  @Field(() => Int)
  remaining!: number;

  @Field(() => Float)
  restorePerSecond!: number;
}
