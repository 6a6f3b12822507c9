import { Field, ObjectType } from "type-graphql";
import { AttackKind } from "./attack-kind.ts";
import { ParameterValues } from "./parameter-values.ts";

@ObjectType({ description: "An attack that an alias is evaluated with, again and again." })
export class ScheduledAttack {
  @Field(() => AttackKind)
  kind!: string;

  @Field(() => String)
  target!: string;

  @Field(() => ParameterValues, { description: "Those that differ from the literature's." })
  parameters!: Record<string, unknown>;
}
