import { Field, Float, InputType } from "type-graphql";

@InputType()
export class ChannelStatisticsInput {
  @Field(() => [Float], { description: "Three: red, green, blue." })
  mean!: number[];

  @Field(() => [Float], { description: "Three, positive." })
  deviation!: number[];
}
