import { Field, Int, ObjectType } from "type-graphql";
import { CbptOutput } from "./cbpt-output.ts";
import { PurifyMode } from "./purify-mode.ts";

@ObjectType({ description: "Every hyper-parameter of a purification, defaults filled in." })
export class PurifyConfig extends CbptOutput {
  @Field(() => Int, { description: "Examples of each label." })
  shots!: number;

  @Field(() => PurifyMode)
  mode!: PurifyMode;
}
