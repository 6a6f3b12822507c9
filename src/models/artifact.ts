import { Field, ObjectType } from "type-graphql";
import { BigIntScalar } from "./big-int.ts";
import { Digest } from "./digest.ts";

@ObjectType({ description: "A file to download, with the same Authorization header as any request." })
export class Artifact {
  @Field(() => String, { description: "A path on this server." })
  url!: string;

  @Field(() => BigIntScalar)
  bytes!: number;

  @Field(() => Digest)
  digest!: string;

  @Field(() => String, {
    description: "How to read it: `safetensors`, manifest and measurements among its metadata, or `pytorch`.",
  })
  format!: string;
}
