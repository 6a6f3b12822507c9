import { Field, Int, ObjectType } from "type-graphql";
import type { VersionRecord } from "../services/prompts.ts";
import { Position } from "./position.ts";

@ObjectType({ description: "The learned prompt of one class." })
export class ClassPrompt {
  readonly version!: VersionRecord;
  /** Among the version's labels, from 0. */
  readonly place!: number;

  @Field(() => String)
  label!: string;

  @Field(() => Int, { description: "Learned context vectors." })
  tokens!: number;

  @Field(() => Position)
  position!: Position;
}
