import { ObjectType } from "type-graphql";
import { Job } from "./job.ts";
import { Node } from "./node.ts";

@ObjectType({ implements: [Job, Node] })
export class PurificationJob extends Job {}
