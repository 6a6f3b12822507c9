import { Field, ObjectType } from "type-graphql";
import { Rate } from "./rate.ts";

@ObjectType()
export class ClassRate {
  @Field(() => String)
  label!: string;

  @Field(() => Rate, { description: "Clean accuracy." })
  ca!: Rate;

  @Field(() => Rate, {
    nullable: true,
    description: "Triggered images of the label that went to the target.",
  })
  pulledTo?: Rate;
}
