import { Field, Int, ObjectType } from "type-graphql";
import { PageInfo } from "./page-info.ts";
import { PromptVersionEdge } from "./prompt-version-edge.ts";

@ObjectType()
export class PromptVersionConnection {
  @Field(() => [PromptVersionEdge], { description: "Newest first." })
  edges!: PromptVersionEdge[];

  @Field(() => PageInfo)
  pageInfo!: PageInfo;

  @Field(() => Int)
  totalCount!: number;
}
