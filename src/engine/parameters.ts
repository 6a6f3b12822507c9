import { AppError } from "../errors.ts";

/** A number with its default and its closed range. */
export interface NumberParameter {
  readonly kind: "number";
  readonly default: number;
  readonly minimum: number;
  readonly maximum: number;
  readonly whole: boolean;
  readonly about: string;
}

/** One of a few words. */
export interface ChoiceParameter<Choice extends string = string> {
  readonly kind: "choice";
  readonly default: Choice;
  readonly choices: readonly Choice[];
  readonly about: string;
}

/** A word or a sentence that anyone may choose. */
export interface TextParameter {
  readonly kind: "text";
  readonly default: string;
  /** Most characters; at least one is needed. */
  readonly maximum: number;
  readonly about: string;
}

export type Parameter = NumberParameter | ChoiceParameter | TextParameter;
export type Parameters = Readonly<Record<string, Parameter>>;

/** The values that a table of parameters describes. */
export type ValuesOf<Table extends Parameters> = {
  readonly [Name in keyof Table]: Table[Name] extends ChoiceParameter<infer Choice>
    ? Choice
    : Table[Name] extends TextParameter
      ? string
      : number;
};

export const real = (
  value: number,
  [minimum, maximum]: readonly [number, number],
  about: string,
): NumberParameter => ({ kind: "number", default: value, minimum, maximum, whole: false, about });

export const whole = (
  value: number,
  [minimum, maximum]: readonly [number, number],
  about: string,
): NumberParameter => ({ kind: "number", default: value, minimum, maximum, whole: true, about });

export const choice = <const Choice extends string>(
  value: NoInfer<Choice>,
  choices: readonly Choice[],
  about: string,
): ChoiceParameter<Choice> => ({ kind: "choice", default: value, choices, about });

/** Some rows of a table. */
export const pickParameters = <Table extends Parameters, Name extends keyof Table>(
  table: Table,
  names: readonly Name[],
): Pick<Table, Name> => Object.fromEntries(names.map((name) => [name, table[name]])) as Pick<Table, Name>;

/** The table with other defaults for some of its parameters. */
export const withDefaults = <Table extends Parameters>(
  table: Table,
  defaults: Partial<ValuesOf<Table>>,
): Table =>
  Object.fromEntries(
    Object.entries(table).map(([name, parameter]) => [
      name,
      { ...parameter, default: defaults[name] ?? parameter.default },
    ]),
  ) as unknown as Table;

export const text = (value: string, maximum: number, about: string): TextParameter => ({
  kind: "text",
  default: value,
  maximum,
  about,
});

/** The defaults of a table. */
export const defaultsOf = <Table extends Parameters>(table: Table): ValuesOf<Table> =>
  Object.fromEntries(
    Object.entries(table).map(([name, parameter]) => [name, parameter.default]),
  ) as ValuesOf<Table>;

/**
 * The given values over the defaults. Fails with VALIDATION_FAILED that lists every unknown name and every value out
 * of its range at once; an absent, undefined or null value means the default.
 */
export function completeParameters<Table extends Parameters>(
  owner: string,
  table: Table,
  given: unknown,
  defaults: ValuesOf<Table> = defaultsOf(table),
): ValuesOf<Table> {
  if (given !== undefined && given !== null && (typeof given !== "object" || Array.isArray(given)))
    throw invalid(owner, ["it must be an object of named values"]);
  const entries = Object.entries(given ?? {}).filter(([, value]) => value !== undefined && value !== null);
  const wrong = entries.flatMap(([name, value]) => {
    const problem = problemOf(table, name, value);
    return problem === undefined ? [] : { name, problem };
  });
  if (wrong.length > 0)
    throw invalid(
      owner,
      wrong.map(({ problem }) => problem),
      wrong.map(({ name }) => name),
    );
  return { ...defaults, ...Object.fromEntries(entries) } as ValuesOf<Table>;
}

function problemOf(table: Parameters, name: string, value: unknown): string | undefined {
  const parameter = Object.hasOwn(table, name) ? table[name] : undefined;
  if (parameter === undefined) return `${name} is not known (known: ${Object.keys(table).join(", ")})`;
  if (parameter.kind === "choice")
    return parameter.choices.includes(value as string)
      ? undefined
      : `${name} must be one of ${parameter.choices.join(", ")}, not ${JSON.stringify(value)}`;
  if (parameter.kind === "text")
    return typeof value === "string" && value.trim() !== "" && value.length <= parameter.maximum
      ? undefined
      : `${name} must be a text of 1 to ${parameter.maximum} characters, not ${JSON.stringify(value)}`;
  const { minimum, maximum } = parameter;
  if (typeof value === "number" && value >= minimum && value <= maximum)
    return parameter.whole && !Number.isInteger(value)
      ? `${name} must be a whole number, not ${value}`
      : undefined;
  return `${name} must be a number from ${minimum} to ${maximum}, not ${JSON.stringify(value)}`;
}

/** `names` are those of the parameters that are meant. */
const invalid = (owner: string, problems: readonly string[], names: readonly string[] = []): AppError =>
  new AppError("VALIDATION_FAILED", `The parameters of ${owner} are not valid: ${problems.join("; ")}.`, {
    owner,
    problems,
    names,
  });
