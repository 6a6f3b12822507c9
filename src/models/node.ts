import { Field, ID, InterfaceType } from "type-graphql";

@InterfaceType({ description: "Anything with a global id, which `node` finds again." })
export abstract class Node {
  @Field(() => ID, { description: "Opaque, and unique among all types." })
  id!: string;
}
