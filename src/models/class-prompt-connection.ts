import { Field, Int, ObjectType } from "type-graphql";
import { ClassPromptEdge } from "./class-prompt-edge.ts";
import { PageInfo } from "./page-info.ts";

@ObjectType()
export class ClassPromptConnection {
  @Field(() => [ClassPromptEdge])
  edges!: ClassPromptEdge[];

  @Field(() => PageInfo)
  pageInfo!: PageInfo;

  @Field(() => Int)
  totalCount!: number;
}
