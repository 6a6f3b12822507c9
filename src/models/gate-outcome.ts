import { Field, ObjectType } from "type-graphql";

@ObjectType({ description: "Whether a new version was promoted, and why not." })
export class GateOutcome {
  @Field(() => Boolean)
  passed!: boolean;

  @Field(() => String, { description: "The alias that moves when it passes." })
  alias!: string;

  @Field(() => [String], { description: "What did not hold; empty when it passed." })
  reasons!: string[];
}
