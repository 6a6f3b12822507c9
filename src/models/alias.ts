import { Field, ObjectType } from "type-graphql";
import type { AliasRecord } from "../services/aliases.ts";

@ObjectType({ description: "A name, such as live, for whichever version is to be used." })
export class Alias {
  readonly record!: AliasRecord;

  @Field(() => String)
  name!: string;
}
