import { Field, Float, ObjectType } from "type-graphql";
import type { Resource, QuotaWindow as WindowName } from "../services/quotas/quota.ts";
import { BigIntScalar } from "./big-int.ts";
import { DateTime } from "./date-time.ts";
import { QuotaResource } from "./quota-resource.ts";
import { QuotaWindow } from "./quota-window.ts";

@ObjectType({ description: "A tenant's limit, and what is used of it. What is not listed has no limit." })
export class Quota {
  @Field(() => QuotaResource)
  resource!: Resource;

  @Field(() => BigIntScalar)
  limit!: number;

  @Field(() => QuotaWindow, { nullable: true, description: "Absent for what is stored." })
  window?: WindowName;

  @Field(() => Float)
  used!: number;

  @Field(() => DateTime, { nullable: true, description: "When nothing of it is used again." })
  resetsAt?: string;
}
