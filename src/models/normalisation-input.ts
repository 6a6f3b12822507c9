import { Extensions, Field, InputType } from "type-graphql";
import { ChannelStatisticsInput } from "./channel-statistics-input.ts";
import { NormalisationName } from "./normalisation-name.ts";

@Extensions({ oneOf: true })
@InputType({ description: "How images were normalised when the model was trained." })
export class NormalisationInput {
  @Field(() => NormalisationName, { nullable: true })
  name?: NormalisationName;

  @Field(() => ChannelStatisticsInput, { nullable: true })
  values?: ChannelStatisticsInput;
}
