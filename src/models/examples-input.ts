import type { Upload as UploadValue } from "graphql-upload-minimal";
import { Extensions, Field, InputType } from "type-graphql";
import { ExampleInput } from "./example-input.ts";
import { Upload } from "./upload.ts";

@Extensions({ oneOf: true })
@InputType({ description: "Labelled images, one by one or as an archive." })
export class ExamplesInput {
  @Field(() => [ExampleInput], { nullable: true })
  list?: ExampleInput[];

  @Field(() => Upload, {
    nullable: true,
    description: "A .zip, .tar or .tar.gz with one folder for each class, named by its label.",
  })
  archive?: UploadValue;
}
