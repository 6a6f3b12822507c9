import { Field, Float, ObjectType } from "type-graphql";
import { ClassAudit } from "./class-audit.ts";
import { Verdict } from "./verdict.ts";

@ObjectType({ description: "What an audit says about a model, without knowing the attacker's target." })
export class Audit {
  @Field(() => Verdict)
  verdict!: Verdict;

  @Field(() => [ClassAudit], { description: "The labels that stand out." })
  suspects!: ClassAudit[];

  @Field(() => [ClassAudit], { description: "Every label, the most attractive first." })
  classes!: ClassAudit[];

  @Field(() => Float)
  seconds!: number;
}
