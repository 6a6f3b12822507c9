import { InputType } from "type-graphql";
import { type CbptParameters, cbptFields } from "./cbpt-parameters.ts";
import { ShotsInput } from "./shots-input.ts";

@cbptFields({ nullable: true })
@InputType()
abstract class Fields extends ShotsInput {}

/** The shots, and the hyper-parameters as optional input fields. */
export const CbptInput = Fields as abstract new () => ShotsInput & Partial<CbptParameters>;
