import { Field, ID, InputType } from "type-graphql";
import { CbptInput } from "./cbpt-input.ts";
import { Gate } from "./gate.ts";
import { VersionRef } from "./version-ref.ts";

@InputType({
  description:
    "Which class to add to which prompts, with which shots. Hyper-parameters are those of the version unless given; the number of context vectors and their position stay as they are. Recovery prompts are kept and none are learned, so `recovery` is left out.",
})
export class AddClassInput extends CbptInput {
  @Field(() => VersionRef, { description: "The version to start from. It stays as it is." })
  to!: VersionRef;

  @Field(() => String, { description: "The new class." })
  label!: string;

  @Field(() => ID, {
    description:
      "A dataset with clean shots of the new class and of all others, which the gate is checked on again.",
  })
  datasetId!: string;

  @Field(() => String, {
    nullable: true,
    description: "The prompt set that gets the new version; by default the one that has the version.",
  })
  promptSet?: string;

  @Field(() => [String], {
    nullable: true,
    description: "The labels to search triggers for, two or more; by default all, the new one among them.",
  })
  targets?: string[];

  @Field(() => Gate, {
    nullable: true,
    description:
      "By default that of the version, if it was made here; without one, the new version is promoted to `live`.",
  })
  gate?: Gate;
}
