import { Field, Float, Int, ObjectType } from "type-graphql";
import { Position } from "./position.ts";

@ObjectType({ description: "The learned prompt of one class." })
export class ClassPrompt {
  @Field(() => String)
  label!: string;

  @Field(() => Int, { description: "Learned context vectors." })
  tokens!: number;

  @Field(() => Position)
  position!: Position;

  @Field(() => Float, {
    description: "Cosine distance of its text embedding from that of the undefended templates, 0 to 2.",
  })
  shift!: number;
}
