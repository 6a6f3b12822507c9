import { Field, ObjectType } from "type-graphql";
import { Tenant } from "./tenant.ts";
import { UserError } from "./user-error.ts";

@ObjectType()
export class QuotaPayload {
  @Field(() => Tenant, { nullable: true, description: "With its quotas as they are now." })
  tenant?: Tenant;

  @Field(() => [UserError], { description: "Empty when it was done." })
  userErrors!: UserError[];
}
