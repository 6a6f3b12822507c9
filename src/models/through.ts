import { Extensions, Field, ID, InputType } from "type-graphql";
import { AliasRef } from "./alias-ref.ts";

@Extensions({ oneOf: true })
@InputType({ description: "Which prompts are to answer." })
export class Through {
  @Field(() => AliasRef, { nullable: true })
  alias?: AliasRef;

  @Field(() => ID, { nullable: true })
  versionId?: string;

  @Field(() => [String], {
    nullable: true,
    description:
      'Undefended prompts, e.g. "a photo of a {label}.", averaged: at most 100, each of at most 200 characters. An empty list means the model\'s default templates. `classify` takes at most 20,000 prompts, which is labels times templates, and so do prompts that are learned or imported.',
  })
  templates?: string[];
}
