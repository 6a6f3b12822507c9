import { Field, ObjectType } from "type-graphql";
import { Defence } from "./defence.ts";
import { DefenceProduct } from "./defence-product.ts";
import { ParameterDescription } from "./parameter-description.ts";

@ObjectType({ description: "What a defence does and what can be set about it." })
export class DefenceDescription {
  @Field(() => Defence)
  defence!: string;

  @Field(() => String)
  about!: string;

  @Field(() => String, { nullable: true, description: "Authors, year and identifier." })
  paper?: string;

  @Field(() => DefenceProduct)
  makes!: DefenceProduct;

  @Field(() => [ParameterDescription])
  parameters!: ParameterDescription[];
}
