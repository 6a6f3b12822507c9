import { InputType } from "type-graphql";
import { SearchInput } from "./search-input.ts";

@InputType({ description: "Which model to audit with which shots." })
export class AuditInput extends SearchInput {}
