import { Field, ObjectType } from "type-graphql";
import type { Scope as ScopeName } from "../services/access-records.ts";
import { Scope } from "./scope.ts";

@ObjectType({ description: "Whoever asks." })
export class Viewer {
  @Field(() => String)
  tenant!: string;

  @Field(() => String, { description: "The name of the key." })
  key!: string;

  @Field(() => [Scope])
  scopes!: ScopeName[];
}
