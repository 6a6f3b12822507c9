import { Field, ID, Int, ObjectType } from "type-graphql";

@ObjectType({ description: "A sample image that comes with the server; `classify` takes its id." })
export class Asset {
  @Field(() => ID)
  id!: string;

  @Field(() => String, { description: "The name of the file." })
  name!: string;

  @Field(() => Int)
  bytes!: number;

  @Field(() => String, { description: "The image itself, as a data URL." })
  dataUrl!: string;
}
