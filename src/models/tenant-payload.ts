import { Field, ObjectType } from "type-graphql";
import { Tenant } from "./tenant.ts";
import { UserError } from "./user-error.ts";

@ObjectType()
export class TenantPayload {
  @Field(() => Tenant, { nullable: true })
  tenant?: Tenant;

  @Field(() => [UserError], { description: "Empty when it was done." })
  userErrors!: UserError[];
}
