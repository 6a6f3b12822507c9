import type { Upload as UploadValue } from "graphql-upload-minimal";
import { Extensions, Field, ID, InputType } from "type-graphql";
import { Upload } from "./upload.ts";

@Extensions({ oneOf: true })
@InputType({ description: "An image: JPEG, PNG or WebP." })
export class ImageInput {
  @Field(() => Upload, { nullable: true, description: "A file of a multipart request." })
  upload?: UploadValue | Promise<UploadValue["file"]>;

  @Field(() => String, {
    nullable: true,
    description: "The encoded file, with or without a data URL's prefix.",
  })
  base64?: string;

  @Field(() => ID, { nullable: true, description: "One of `assets`." })
  assetId?: string;
}
