import { Field, Float, ObjectType } from "type-graphql";
import { BigIntScalar } from "./big-int.ts";
import { DateTime } from "./date-time.ts";

@ObjectType({ description: "What a tenant used in a calendar day or month, in UTC." })
export class UsagePeriod {
  @Field(() => DateTime)
  from!: string;

  @Field(() => DateTime, { description: "Not included." })
  to!: string;

  @Field(() => BigIntScalar, { description: "GraphQL operations." })
  requests!: number;

  @Field(() => BigIntScalar, { description: "Images that classify answered." })
  images!: number;

  @Field(() => Float, { description: "Time for which jobs ran." })
  computeSeconds!: number;

  @Field(() => BigIntScalar, { description: "At the end of it." })
  storedBytes!: number;
}
