import { Field, InputType } from "type-graphql";

@InputType()
export class AliasRef {
  @Field(() => String)
  promptSet!: string;

  @Field(() => String, { defaultValue: "live" })
  alias!: string;
}
