import { Field, ID, Int, ObjectType } from "type-graphql";
import { Rate } from "./rate.ts";

@ObjectType({ description: "A state that the job can go on from, measured on probe images." })
export class Checkpoint {
  @Field(() => ID)
  id!: string;

  @Field(() => Int)
  epoch!: number;

  @Field(() => Rate, { nullable: true, description: "Clean accuracy." })
  ca?: Rate;

  @Field(() => Rate, {
    nullable: true,
    description: "Share of images that the recovered trigger still pulls over.",
  })
  asr?: Rate;
}
