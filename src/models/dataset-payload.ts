import { Field, ObjectType } from "type-graphql";
import { Dataset } from "./dataset.ts";
import { RejectedExample } from "./rejected-example.ts";
import { UserError } from "./user-error.ts";

@ObjectType()
export class DatasetPayload {
  @Field(() => Dataset, { nullable: true })
  dataset?: Dataset;

  @Field(() => [RejectedExample], {
    description: "Files that were left out, and why; the others were taken.",
  })
  rejected!: RejectedExample[];

  @Field(() => [UserError], { description: "Empty when it was done." })
  userErrors!: UserError[];
}
