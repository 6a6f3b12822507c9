import { Field, Float, Int, ObjectType } from "type-graphql";

@ObjectType({ description: "A share k of n with its Wilson 95 % interval." })
export class Rate {
  @Field(() => Float, { description: "k / n; 0 when n is 0." })
  value!: number;

  @Field(() => Int)
  n!: number;

  @Field(() => Int)
  k!: number;

  @Field(() => Float)
  low95!: number;

  @Field(() => Float)
  high95!: number;
}
