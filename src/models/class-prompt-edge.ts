import { Field, ObjectType } from "type-graphql";
import { ClassPrompt } from "./class-prompt.ts";

@ObjectType()
export class ClassPromptEdge {
  @Field(() => String)
  cursor!: string;

  @Field(() => ClassPrompt)
  node!: ClassPrompt;
}
