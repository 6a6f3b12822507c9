import { Field, Float, ObjectType } from "type-graphql";

@ObjectType({ description: "Something that can be set: a number, one of a few words, or a text." })
export class ParameterDescription {
  @Field(() => String)
  name!: string;

  @Field(() => String)
  about!: string;

  @Field(() => String, { description: "A number in digits, or the word." })
  default!: string;

  @Field(() => Boolean, { description: "Whether it is a number without a fraction." })
  whole!: boolean;

  @Field(() => Float, { nullable: true, description: "Of a number; this one is allowed." })
  minimum?: number;

  @Field(() => Float, {
    nullable: true,
    description: "Of a number, and of a text the most characters; this one is allowed.",
  })
  maximum?: number;

  @Field(() => [String], {
    nullable: true,
    description: "The words that are allowed; none for a number or a free text.",
  })
  choices?: string[];
}
