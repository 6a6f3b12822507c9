import { Field, Float, Int } from "type-graphql";
import type { Parameter, Parameters } from "../engine/parameters.ts";

export interface ParameterFieldOptions {
  readonly nullable: boolean;
  /** The enum of each parameter that is a choice. */
  readonly enums: Readonly<Record<string, object>>;
  /** What to say after the default. */
  readonly note?: (name: string, parameter: Parameter) => string;
}

/**
 * Gives a class a GraphQL field for every parameter of a table, so that the engine's table is the only place that
 * names them, their ranges and their defaults.
 */
export function parameterFields(
  table: Parameters,
  { nullable, enums, note = () => "" }: ParameterFieldOptions,
): ClassDecorator {
  return ({ prototype }) => {
    for (const [name, parameter] of Object.entries(table)) {
      const description = `${parameter.about}.${range(parameter)} Default ${parameter.default}${note(name, parameter)}.`;
      Field(() => typeOf(parameter) ?? enums[name], { nullable, description })(prototype, name);
    }
  };
}

/** The type of a number or a text; a choice has one of its own. */
function typeOf(parameter: Parameter) {
  if (parameter.kind === "text") return String;
  if (parameter.kind === "number") return parameter.whole ? Int : Float;
  return undefined;
}

function range(parameter: Parameter): string {
  return parameter.kind === "number" ? ` ${parameter.minimum} to ${parameter.maximum}.` : "";
}
