import { Field, ObjectType } from "type-graphql";
import { AuditLogEntry } from "./audit-log-entry.ts";

@ObjectType()
export class AuditLogEdge {
  @Field(() => String)
  cursor!: string;

  @Field(() => AuditLogEntry)
  node!: AuditLogEntry;
}
