import { Field, ObjectType } from "type-graphql";
import { PromptVersion } from "./prompt-version.ts";
import { UserError } from "./user-error.ts";

@ObjectType()
export class VersionPayload {
  @Field(() => PromptVersion, { nullable: true })
  version?: PromptVersion;

  @Field(() => Boolean, { description: "Whether the prompt set did not have it before." })
  isNew!: boolean;

  @Field(() => [UserError], { description: "Empty when it was done." })
  userErrors!: UserError[];
}
