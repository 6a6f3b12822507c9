import { Field, Int, ObjectType } from "type-graphql";

@ObjectType({ description: "How many examples a dataset has of a label." })
export class ClassSize {
  @Field(() => String)
  label!: string;

  @Field(() => Int)
  images!: number;
}
