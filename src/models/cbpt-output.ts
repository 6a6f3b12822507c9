import { ObjectType } from "type-graphql";
import { type CbptParameters, cbptFields } from "./cbpt-parameters.ts";

@cbptFields({ nullable: false })
@ObjectType()
abstract class Fields {}

/** The hyper-parameters as output fields. */
export const CbptOutput = Fields as abstract new () => CbptParameters;
