import { InputType } from "type-graphql";
import { type CbptParameters, cbptFields } from "./cbpt-parameters.ts";

@cbptFields({ nullable: true })
@InputType()
abstract class Fields {}

/** The hyper-parameters as optional input fields. */
export const CbptInput = Fields as abstract new () => Partial<CbptParameters>;
