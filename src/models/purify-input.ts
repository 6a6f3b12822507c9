import { Field, InputType } from "type-graphql";
import { Gate } from "./gate.ts";
import { PurifyMode } from "./purify-mode.ts";
import { SearchInput } from "./search-input.ts";

@InputType({
  description: "What to purify, with which shots, and how. Everything of `how` has a good default.",
})
export class PurifyInput extends SearchInput {
  @Field(() => String, {
    description: "The prompt set that gets the version; made when there is none of that name.",
  })
  promptSet!: string;

  @Field(() => PurifyMode, { nullable: true, defaultValue: PurifyMode.UNIVERSAL })
  mode?: PurifyMode;

  @Field(() => Gate, {
    nullable: true,
    description: "Without one, a successful version is promoted to `live`.",
  })
  gate?: Gate;
}
