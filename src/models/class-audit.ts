import { Field, ObjectType } from "type-graphql";
import { Rate } from "./rate.ts";

@ObjectType({ description: "What the inversion found for a label." })
export class ClassAudit {
  @Field(() => String)
  label!: string;

  @Field(() => Rate, {
    description: "Shots of other labels that the label's inverted trigger pulls over to it.",
  })
  pulled!: Rate;

  @Field(() => String, { nullable: true, description: "The family of triggers in which the best was found." })
  family?: string;

  @Field(() => String, {
    nullable: true,
    description:
      "Of a suspect whose trigger works together with a word in the prompt: the vocabulary's nearest to the token vector that was found, which need not be the attacker's own.",
  })
  word?: string;
}
