import { Field, Int, ObjectType } from "type-graphql";
import { Defence } from "./defence.ts";
import { Job } from "./job.ts";
import { Node } from "./node.ts";
import { ParameterValues } from "./parameter-values.ts";

@ObjectType({ implements: [Job, Node], description: "Defends a suspect model in one of many ways." })
export class DefenceJob extends Job {
  @Field(() => Defence)
  defence!: string;

  @Field(() => Int)
  seed!: number;

  @Field(() => ParameterValues, { description: "All of the defence's, also those at their defaults." })
  parameters!: Record<string, unknown>;
}
