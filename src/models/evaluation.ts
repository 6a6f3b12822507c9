import { Field, ObjectType } from "type-graphql";
import { AttackKind } from "./attack-kind.ts";
import { ClassRate } from "./class-rate.ts";
import { Node } from "./node.ts";
import { Rate } from "./rate.ts";

@ObjectType({ implements: Node, description: "How a model answers a test set through some prompts." })
export class Evaluation extends Node {
  readonly versionId?: string;

  @Field(() => AttackKind, { nullable: true })
  attack?: string;

  @Field(() => String, { nullable: true, description: "The label that the attack is meant to bring about." })
  target?: string;

  @Field(() => Rate, { description: "Clean accuracy." })
  ca!: Rate;

  @Field(() => Rate, {
    nullable: true,
    description: "Triggered images of other labels that were given the target.",
  })
  asr?: Rate;

  @Field(() => Rate, { nullable: true, description: "`asr` with the target's own images counted in." })
  asrIncludingTarget?: Rate;

  @Field(() => Rate, {
    nullable: true,
    description: "Triggered images of other labels given their true label.",
  })
  robustAccuracy?: Rate;

  @Field(() => Rate, { nullable: true, description: "Clean images of the target given the target." })
  targetRecall?: Rate;

  @Field(() => Rate, {
    nullable: true,
    description: "Clean images of other labels given the target: the floor of ASR.",
  })
  cleanFloor?: Rate;

  @Field(() => Rate, {
    nullable: true,
    description:
      "Images that the version was learned from: rates of them flatter it, so a proof has none. Null for templates, and for versions that were not learned here.",
  })
  seenByDefence?: Rate;

  @Field(() => [ClassRate])
  perClass!: ClassRate[];

  @Field(() => String, {
    description: "The rules by which it was counted; compare only numbers of the same rules.",
  })
  protocol!: string;
}
