/** A flag of a command. One with `value` takes an argument of that name. */
export interface Flag {
  readonly help: string;
  readonly value?: string;
  readonly short?: string;
}

export type Flags = Readonly<Record<string, Flag>>;

/** What a command is, for the help; what it does is loaded only when it is run. */
export interface Command {
  /** One line. */
  readonly summary: string;
  /** What stands after its name, flags left out, e.g. "SOURCE". */
  readonly positionals: readonly string[];
  readonly flags: Flags;
  /** Shown below the flags: examples, settings. */
  readonly notes: string;
  /** Resolves to the exit code; a server that goes on running resolves to zero once it listens. */
  load(): Promise<(args: Arguments) => Promise<number>>;
}

export interface Arguments {
  readonly positionals: readonly string[];
  /** The argument of a flag that takes one. */
  value(flag: string): string | undefined;
  has(flag: string): boolean;
}

/** Everything went well; what was asked did not work; the command line makes no sense; somebody pressed Ctrl-C. */
export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;
