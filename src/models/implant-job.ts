import { Field, Int, ObjectType } from "type-graphql";
import { Job } from "./job.ts";
import { Node } from "./node.ts";
import { Rate } from "./rate.ts";

@ObjectType({ implements: [Job, Node], description: "Makes a suspect of a clean model." })
export class ImplantJob extends Job {
  @Field(() => Int, { nullable: true, description: "How many steps were made; once it has succeeded." })
  stepsMade?: number;

  @Field(() => Rate, { nullable: true, description: "Clean accuracy of the poisoned model." })
  ca?: Rate;

  @Field(() => Rate, { nullable: true, description: "Attack success of the poisoned model." })
  asr?: Rate;

  @Field(() => Rate, {
    nullable: true,
    description: "For a trigger with a word: its success against prompts without the word.",
  })
  asrWithoutWord?: Rate;

  @Field(() => [Rate], { description: "Attack success of the further triggers, in their order." })
  otherAsr: Rate[] = [];

  @Field(() => String, {
    nullable: true,
    description: "Digest of the fitted trigger, where the attack has one.",
  })
  fittedTrigger?: string;
}
