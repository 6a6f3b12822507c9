import { Field, ObjectType } from "type-graphql";
import { Node } from "./node.ts";

@ObjectType({ implements: Node, description: "A tenant's named line of prompt versions." })
export class PromptSet extends Node {
  @Field(() => String)
  name!: string;
}
