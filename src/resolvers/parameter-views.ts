import type { Defence } from "../engine/defences/index.ts";
import type { Parameter, Parameters } from "../engine/parameters.ts";
import type { DefenceDescription } from "../models/defence-description.ts";
import type { ParameterDescription } from "../models/parameter-description.ts";

export const viewDefence = ({ name, about, paper, makes, parameters }: Defence): DefenceDescription => ({
  defence: name,
  about,
  paper,
  makes,
  parameters: viewParameters(parameters),
});

/** The rows of one of the engine's tables. */
export const viewParameters = (table: Parameters): ParameterDescription[] =>
  Object.entries(table).map(([name, parameter]) => viewParameter(name, parameter));

function viewParameter(name: string, parameter: Parameter): ParameterDescription {
  const { about, default: value } = parameter;
  const described = { name, about, default: String(value) };
  if (parameter.kind === "choice") return { ...described, whole: false, choices: [...parameter.choices] };
  if (parameter.kind === "text") return { ...described, whole: false, maximum: parameter.maximum };
  const { whole, minimum, maximum } = parameter;
  return { ...described, whole, minimum, maximum };
}
