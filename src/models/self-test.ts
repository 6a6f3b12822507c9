import { Field, Float, ObjectType } from "type-graphql";
import type { Device as DeviceName } from "../engine/runtime/device.ts";
import { DateTime } from "./date-time.ts";
import { Device } from "./device.ts";
import { RecordedEmbedding } from "./recorded-embedding.ts";
import { SelfTestCheck } from "./self-test-check.ts";

@ObjectType({
  description:
    "A fixed image and a fixed text went through the model when it was registered: finite, of length 1 and equal width, and independent of batch and padding.",
})
export class SelfTest {
  @Field(() => [SelfTestCheck])
  checks!: SelfTestCheck[];

  @Field(() => RecordedEmbedding)
  image!: RecordedEmbedding;

  @Field(() => RecordedEmbedding)
  text!: RecordedEmbedding;

  @Field(() => Float, { description: "Of one image, without decoding." })
  imageMilliseconds!: number;

  @Field(() => Float, { description: "Of one short text." })
  textMilliseconds!: number;

  @Field(() => Device)
  device!: DeviceName;

  @Field(() => DateTime)
  at!: string;
}
