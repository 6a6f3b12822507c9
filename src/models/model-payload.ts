import { Field, ObjectType } from "type-graphql";
import { Model } from "./model.ts";
import { UserError } from "./user-error.ts";

@ObjectType()
export class ModelPayload {
  @Field(() => Model, { nullable: true })
  model?: Model;

  @Field(() => [Model], { description: "All that were registered." })
  models!: Model[];

  @Field(() => [UserError], { description: "Empty when it was done." })
  userErrors!: UserError[];
}
