import { CBPT_PARAMETERS, PUBLISHED_DEFAULTS } from "../engine/cbpt/config.ts";
import type { Parameter, ValuesOf } from "../engine/parameters.ts";
import { Norm } from "./norm.ts";
import { Optimiser } from "./optimiser.ts";
import { parameterFields } from "./parameter-fields.ts";
import { Position } from "./position.ts";
import { Positive } from "./positive.ts";
import { StepRule } from "./step-rule.ts";

export type CbptParameters = ValuesOf<typeof CBPT_PARAMETERS>;

/** The enum of each parameter that is a choice. */
const ENUMS = {
  optimiser: Optimiser,
  position: Position,
  stepRule: StepRule,
  norm: Norm,
  positive: Positive,
} as const;

/** Gives a class a GraphQL field for every hyper-parameter of CBPT. */
export const cbptFields = (options: { nullable: boolean }): ClassDecorator =>
  parameterFields(CBPT_PARAMETERS, { ...options, enums: ENUMS, note: publishedDefault });

function publishedDefault(name: string, parameter: Parameter): string {
  const published = PUBLISHED_DEFAULTS[name as keyof typeof PUBLISHED_DEFAULTS];
  if (published === undefined || published === parameter.default) return "";
  return `, ${published} in the published mode`;
}
