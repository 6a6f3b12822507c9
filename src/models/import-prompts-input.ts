import { Field, ID, InputType } from "type-graphql";
import { CoopInput } from "./coop-input.ts";
import { FileInput } from "./file-input.ts";

@InputType({ description: "Prompts that were learned elsewhere, and the model that they were learned for." })
export class ImportPromptsInput {
  @Field(() => FileInput, {
    description:
      "A bundle, as a version's `artifact` gives it, or a checkpoint of CoOp's prompt learner (`model.pth.tar-N`), which is read without running anything of it.",
  })
  bundle!: FileInput;

  @Field(() => String, {
    description: "The prompt set that gets the version; made when there is none of that name.",
  })
  promptSet!: string;

  @Field(() => ID, {
    description: "It must have the digests that the bundle names: INCOMPATIBLE_MODEL otherwise.",
  })
  modelId!: string;

  @Field(() => CoopInput, { nullable: true, description: "Only for a checkpoint of CoOp's." })
  coop?: CoopInput;
}
