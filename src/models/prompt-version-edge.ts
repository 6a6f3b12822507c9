import { Field, ObjectType } from "type-graphql";
import { PromptVersion } from "./prompt-version.ts";

@ObjectType()
export class PromptVersionEdge {
  @Field(() => String)
  cursor!: string;

  @Field(() => PromptVersion)
  node!: PromptVersion;
}
