import { Field, InputType } from "type-graphql";
import { ImageInput } from "./image-input.ts";

@InputType({ description: "A labelled image." })
export class ExampleInput {
  @Field(() => String)
  label!: string;

  @Field(() => ImageInput)
  image!: ImageInput;
}
