import { Field, InputType } from "type-graphql";
import { ExamplesInput } from "./examples-input.ts";

@InputType()
export class CreateDatasetInput {
  @Field(() => String, {
    description: "Unique in the tenant: 1 to 64 letters, digits, dots, dashes, underscores.",
  })
  name!: string;

  @Field(() => ExamplesInput)
  examples!: ExamplesInput;
}
