import { Field, Float, Int } from "type-graphql";
import { CBPT_PARAMETERS, PUBLISHED_DEFAULTS } from "../engine/cbpt/config.ts";
import type { NumberParameter, Parameter, ValuesOf } from "../engine/parameters.ts";
import { Norm } from "./norm.ts";
import { Optimiser } from "./optimiser.ts";
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

/**
 * Gives a class a GraphQL field for every hyper-parameter of CBPT, so that the engine's table is the only place
 * that names them, their ranges and their defaults.
 */
export function cbptFields(options: { nullable: boolean }): ClassDecorator {
  return ({ prototype }) => {
    for (const [name, parameter] of Object.entries<Parameter>(CBPT_PARAMETERS))
      Field(() => typeOf(name, parameter), { ...options, description: describe(name, parameter) })(
        prototype,
        name,
      );
  };
}

function typeOf(name: string, parameter: Parameter) {
  if (parameter.kind === "choice") return ENUMS[name as keyof typeof ENUMS];
  return parameter.whole ? Int : Float;
}

function describe(name: string, parameter: Parameter): string {
  const published = PUBLISHED_DEFAULTS[name as keyof typeof PUBLISHED_DEFAULTS];
  const other =
    published === undefined || published === parameter.default ? "" : `, ${published} in the published mode`;
  return `${parameter.about}.${range(parameter)} Default ${parameter.default}${other}.`;
}

function range(parameter: Parameter): string {
  if (parameter.kind === "choice") return "";
  const { minimum, maximum }: NumberParameter = parameter;
  return ` ${minimum} to ${maximum}.`;
}
