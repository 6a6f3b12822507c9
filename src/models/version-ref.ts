import { Extensions, Field, ID, InputType } from "type-graphql";
import { AliasRef } from "./alias-ref.ts";

@Extensions({ oneOf: true })
@InputType({ description: "A prompt version: by its id, or the one that an alias is at." })
export class VersionRef {
  @Field(() => ID, { nullable: true })
  versionId?: string;

  @Field(() => AliasRef, { nullable: true })
  alias?: AliasRef;
}
