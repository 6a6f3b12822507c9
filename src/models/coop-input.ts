import { Field, InputType } from "type-graphql";
import { Position } from "./position.ts";

@InputType({ description: "What a checkpoint of CoOp's does not say." })
export class CoopInput {
  @Field(() => [String], {
    nullable: true,
    description:
      "The class names, in the order of its training. Only a file that was exported here has them.",
  })
  labels?: string[];

  @Field(() => Position, { nullable: true, description: "By default END, as in CoOp's own settings." })
  position?: Position;

  @Field(() => [String], {
    nullable: true,
    description: "The undefended prompts to compare with; by default the model's.",
  })
  templates?: string[];
}
