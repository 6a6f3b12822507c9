import { AppError } from "../../errors.ts";

/** Reads one object of the configuration key by key, remembers what was read, and can refuse what was not. */
export interface ConfigSection {
  has(key: string): boolean;
  isList(key: string): boolean;
  isText(key: string): boolean;
  isObject(key: string): boolean;
  /** The values as they are in the file. */
  all(): Readonly<Record<string, unknown>>;
  section(key: string): ConfigSection;
  /** A whole number from 1 to `most`. Without a default the key is required; null counts as absent. */
  count(key: string, otherwise?: number, most?: number): number;
  counts(key: string): number[];
  /** A whole number from zero. */
  token(key: string, otherwise: number): number;
  /** A positive number. */
  ratio(key: string, otherwise: number): number;
  flag(key: string, otherwise: boolean): boolean;
  text(key: string, otherwise: string): string;
  /** One of some words; without a default the key is required. */
  choice<const Choice extends string>(
    key: string,
    choices: readonly Choice[],
    otherwise?: NoInfer<Choice>,
  ): Choice;
  /** As many numbers as the default has, that `accepts` each; a single one stands for all. */
  numbers(key: string, otherwise: readonly number[], accepts?: (value: number) => boolean): readonly number[];
  /** These keys may have any value: they do not change what the network computes. */
  ignore(...keys: string[]): void;
  /** These keys may only be absent, null, false or empty. */
  reject(...keys: string[]): void;
  /** This key may only be absent or have this value. */
  expect(key: string, value: string): void;
  /** Refuses every key that was neither read nor ignored. */
  rejectRest(): void;
  /** The same, for a file that is written for this engine: such a key is a mistake. */
  forbidRest(): void;
  invalid(key: string, problem: string): AppError;
  unsupported(key: string, what: string): AppError;
}

/** A section of a parsed file; `path` is where it lies in it, such as "model_cfg.vision_cfg", empty for all of it. */
export function configSection(value: unknown, file: string, path = ""): ConfigSection {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new AppError("INVALID_CHECKPOINT", `${file}: ${path || "the file"} must be a JSON object.`, {
      file,
      key: path,
    });
  }
  return new Section(value as Record<string, unknown>, file, path);
}

class Section implements ConfigSection {
  private readonly seen = new Set<string>();

  constructor(
    private readonly values: Readonly<Record<string, unknown>>,
    private readonly file: string,
    private readonly path: string,
  ) {}

  has(key: string): boolean {
    return this.look(key) !== undefined;
  }

  isList(key: string): boolean {
    return Array.isArray(this.look(key));
  }

  isText(key: string): boolean {
    return typeof this.look(key) === "string";
  }

  isObject(key: string): boolean {
    const value = this.look(key);
    return typeof value === "object" && !Array.isArray(value);
  }

  all(): Readonly<Record<string, unknown>> {
    return this.values;
  }

  section(key: string): ConfigSection {
    return configSection(this.look(key), this.file, this.name(key));
  }

  count(key: string, otherwise?: number, most = LARGEST_COUNT): number {
    const isSmallCount = (value: unknown): value is number => isCount(value) && value <= most;
    return this.read(key, otherwise, isSmallCount, `must be a whole number from 1 to ${most}`);
  }

  counts(key: string): number[] {
    const isCounts = (value: unknown): value is number[] => Array.isArray(value) && value.every(isCount);
    return this.read(key, undefined, isCounts, "must list positive whole numbers");
  }

  token(key: string, otherwise: number): number {
    const isToken = (value: unknown): value is number => value === 0 || isCount(value);
    return this.read(key, otherwise, isToken, "must be a token id");
  }

  ratio(key: string, otherwise: number): number {
    const isRatio = (value: unknown): value is number => isFiniteNumber(value) && value > 0 && value < 1e6;
    return this.read(key, otherwise, isRatio, "must be a positive number");
  }

  flag(key: string, otherwise: boolean): boolean {
    const isFlag = (value: unknown): value is boolean => typeof value === "boolean";
    return this.read(key, otherwise, isFlag, "must be true or false");
  }

  text(key: string, otherwise: string): string {
    const isText = (value: unknown): value is string => typeof value === "string";
    return this.read(key, otherwise, isText, "must be a string");
  }

  choice<const Choice extends string>(
    key: string,
    choices: readonly Choice[],
    otherwise?: NoInfer<Choice>,
  ): Choice {
    const isChoice = (value: unknown): value is Choice => choices.includes(value as Choice);
    return this.read<Choice>(key, otherwise, isChoice, `must be one of ${choices.join(", ")}`);
  }

  numbers(
    key: string,
    otherwise: readonly number[],
    accepts: (value: number) => boolean = () => true,
  ): readonly number[] {
    const isNumbers = (value: unknown): value is readonly number[] =>
      Array.isArray(value) &&
      value.length === otherwise.length &&
      value.every((item) => isFiniteNumber(item) && accepts(item));
    const problem = `must be a valid number, or list ${otherwise.length} of them`;
    const single = this.look(key);
    const all = isFiniteNumber(single) ? otherwise.map(() => single) : single;
    return this.accept(key, all ?? otherwise, isNumbers, problem);
  }

  ignore(...keys: string[]): void {
    for (const key of keys) this.seen.add(key);
  }

  reject(...keys: string[]): void {
    for (const key of keys) {
      const value = this.look(key);
      if (value !== undefined && value !== false && !isEmpty(value))
        throw this.unsupported(key, "what it asks for");
    }
  }

  expect(key: string, value: string): void {
    const found = this.look(key) ?? value;
    if (found !== value) throw this.unsupported(key, JSON.stringify(found));
  }

  rejectRest(): void {
    const unknown = this.unknown();
    if (unknown !== undefined) throw this.unsupported(unknown, "this key");
  }

  forbidRest(): void {
    const unknown = this.unknown();
    if (unknown !== undefined) throw this.invalid(unknown, "is not a known key");
  }

  invalid(key: string, problem: string): AppError {
    return new AppError("INVALID_CHECKPOINT", `${this.file}: ${this.name(key)} ${problem}.`, {
      file: this.file,
      key: this.name(key),
    });
  }

  unsupported(key: string, what: string): AppError {
    const { file } = this;
    const message = `${file}: ${this.name(key)} is not supported: the engine does not know ${what}. It builds CLIP's ModifiedResNet and ViT image towers and its causal text tower.`;
    return new AppError("UNSUPPORTED_ARCHITECTURE", message, { file, key: this.name(key) });
  }

  private unknown(): string | undefined {
    return Object.keys(this.values).find((key) => !this.seen.has(key));
  }

  /** The value of a key, marked as seen; null counts as absent. */
  private look(key: string): unknown {
    this.seen.add(key);
    return Object.hasOwn(this.values, key) ? (this.values[key] ?? undefined) : undefined;
  }

  private read<Value>(
    key: string,
    otherwise: Value | undefined,
    accepts: (value: unknown) => value is Value,
    problem: string,
  ): Value {
    return this.accept(key, this.look(key) ?? otherwise, accepts, problem);
  }

  private accept<Value>(
    key: string,
    value: unknown,
    accepts: (value: unknown) => value is Value,
    problem: string,
  ): Value {
    if (value === undefined) throw this.invalid(key, "is missing");
    if (!accepts(value)) throw this.invalid(key, `${problem}, not ${JSON.stringify(value)}`);
    return value;
  }

  private name(key: string): string {
    return this.path ? `${this.path}.${key}` : key;
  }
}

// No real model comes near it, and products of dimensions stay exact.
const LARGEST_COUNT = 2 ** 24;

const isCount = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) > 0 && (value as number) <= LARGEST_COUNT;

const isFiniteNumber = (value: unknown): value is number =>
  typeof value === "number" && Number.isFinite(value);

const isEmpty = (value: unknown): boolean =>
  value === "" || (typeof value === "object" && value !== null && Object.keys(value).length === 0);
