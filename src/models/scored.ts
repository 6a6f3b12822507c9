import { Field, Float, ObjectType } from "type-graphql";

@ObjectType()
export class Scored {
  @Field(() => String)
  label!: string;

  @Field(() => Float, { description: "Softmax of the logits over all labels." })
  probability!: number;

  @Field(() => Float, { description: "The model's logit scale times the cosine of image and prompt." })
  logit!: number;
}
