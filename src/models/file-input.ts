import type { Upload as UploadValue } from "graphql-upload-minimal";
import { Extensions, Field, InputType } from "type-graphql";
import { Upload } from "./upload.ts";

@Extensions({ oneOf: true })
@InputType({ description: "A file, of at most the bytes that uploads may have." })
export class FileInput {
  @Field(() => Upload, { nullable: true, description: "A file of a multipart request." })
  upload?: UploadValue | Promise<UploadValue["file"]>;

  @Field(() => String, { nullable: true, description: "With or without a data URL's prefix." })
  base64?: string;
}
