import { Field, Float, ObjectType } from "type-graphql";

@ObjectType({ description: "A token of the vocabulary near a context vector." })
export class NearWord {
  @Field(() => String, { description: "A part that a word goes on after ends in a dash." })
  word!: string;

  @Field(() => Float)
  distance!: number;
}
