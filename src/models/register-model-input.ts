import { Field, InputType } from "type-graphql";
import { NormalisationInput } from "./normalisation-input.ts";
import { Trust } from "./trust.ts";

@InputType()
export class RegisterModelInput {
  @Field(() => String, {
    nullable: true,
    description:
      "The folder's name in the models folder, not a path; it becomes the model's name. Without it, all folders are looked at, and those that have changed are read.",
  })
  folder?: string;

  @Field(() => Trust, {
    nullable: true,
    description: "SUSPECT for new weights; what it was for the same ones.",
  })
  trust?: Trust;

  @Field(() => NormalisationInput, {
    nullable: true,
    description:
      "Where the model's configuration does not say how it was trained. It is kept in the model's folder, as antidote.json.",
  })
  normalisation?: NormalisationInput;
}
