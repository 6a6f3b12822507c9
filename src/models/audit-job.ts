import { Field, ObjectType } from "type-graphql";
import { Audit } from "./audit.ts";
import { Job } from "./job.ts";
import { Node } from "./node.ts";

@ObjectType({ implements: [Job, Node] })
export class AuditJob extends Job {
  @Field(() => Audit, { nullable: true, description: "Once it has succeeded." })
  result?: Audit;
}
