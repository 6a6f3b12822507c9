import { Field, ObjectType } from "type-graphql";

@ObjectType({ description: "An example that was not taken." })
export class RejectedExample {
  @Field(() => String, { description: "Its place in the list, or its path in the archive." })
  source!: string;

  @Field(() => String)
  message!: string;
}
