import { Field, Float, ObjectType } from "type-graphql";

@ObjectType()
export class Loss {
  @Field(() => String)
  name!: string;

  @Field(() => Float)
  value!: number;
}
