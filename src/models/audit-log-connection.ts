import { Field, ObjectType } from "type-graphql";
import { AuditLogEdge } from "./audit-log-edge.ts";
import { PageInfo } from "./page-info.ts";

@ObjectType()
export class AuditLogConnection {
  @Field(() => [AuditLogEdge], { description: "Newest first." })
  edges!: AuditLogEdge[];

  @Field(() => PageInfo, {
    description: "With a rare filter a page can be short, even empty, and still have a next one.",
  })
  pageInfo!: PageInfo;
}
