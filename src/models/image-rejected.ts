import { Field, Int, ObjectType } from "type-graphql";
import { ImageErrorCode } from "./image-error-code.ts";

@ObjectType({
  description: "An image that could not be used. The others of its request are answered all the same.",
})
export class ImageRejected {
  @Field(() => Int, { description: "The image's place in the request." })
  index!: number;

  @Field(() => ImageErrorCode)
  code!: ImageErrorCode;

  @Field(() => String)
  message!: string;
}
