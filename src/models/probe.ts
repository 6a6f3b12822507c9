import { Field, ObjectType } from "type-graphql";
import { Rate } from "./rate.ts";

@ObjectType({
  description: "Measured by the job itself on probe images, with the trigger that it recovered.",
})
export class Probe {
  @Field(() => Rate)
  ca!: Rate;

  @Field(() => Rate, { nullable: true, description: "None when nothing suspect was found." })
  asr?: Rate;
}
