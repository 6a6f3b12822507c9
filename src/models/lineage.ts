import { Field, Int, ObjectType } from "type-graphql";
import { Digest } from "./digest.ts";

@ObjectType({ description: "What a prompt version was made from; the same lineage gives the same prompts." })
export class Lineage {
  @Field(() => Digest, {
    description: "Of all hyper-parameters; of prompts from CoOp, of where they come from.",
  })
  config!: string;

  @Field(() => Digest, {
    nullable: true,
    description: "Of the examples that the dataset had then. None for prompts from CoOp.",
  })
  dataset?: string;

  @Field(() => Digest, { description: "Of the model's weights." })
  weights!: string;

  @Field(() => String, {
    description: "Version of this program; `unknown` where nobody said, as of prompts from CoOp.",
  })
  code!: string;

  @Field(() => Int, { nullable: true, description: "None for prompts from CoOp." })
  seed?: number;

  @Field(() => String, { description: "`unknown` where nobody said, as of prompts from CoOp." })
  device!: string;
}
