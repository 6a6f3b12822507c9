import type { ErrorCode } from "./schema.ts";

/** The server's codes, and what may happen on the way to it and back. */
export type AntidoteErrorCode =
  | ErrorCode
  /** No answer came; whether the server did anything is not known. */
  | "CONNECTION_LOST"
  /** Something answered that is no Antidote server. */
  | "INVALID_ANSWER";

interface Facts {
  readonly code: AntidoteErrorCode;
  readonly message: string;
  readonly retryable?: boolean;
  readonly retryAfterMs?: number;
  readonly requestId?: string;
  readonly path?: readonly string[];
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Why something was not done: refused by the server, failed as a job, or lost on the way. */
export class AntidoteError extends Error {
  override readonly name = "AntidoteError";
  readonly code: AntidoteErrorCode;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** The server asks for no less than this wait before the next try. */
  readonly retryAfterMs: number | undefined;
  /** Under which the server's log tells more. */
  readonly requestId: string | undefined;
  /** Which part of a mutation's input is meant. */
  readonly path: readonly string[];
  /** Plain facts that help to act on it, such as a limit. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(facts: Facts, options?: ErrorOptions) {
    super(facts.message, options);
    this.code = facts.code;
    this.retryable = facts.retryable ?? false;
    this.retryAfterMs = facts.retryAfterMs;
    this.requestId = facts.requestId;
    this.path = facts.path ?? [];
    this.details = facts.details ?? {};
  }

  /** Whether the server has said that it did nothing, so that trying again cannot do it twice. */
  get nothingDone(): boolean {
    if (this.code === "THROTTLED") return true;
    // A store that went away while it was written to may have done it.
    return this.code === "OVERLOADED" && this.details.outcome !== "unknown";
  }
}

/** An error of a GraphQL answer. */
export interface ReportedError {
  readonly message: string;
  readonly extensions?: Readonly<Record<string, unknown>>;
}

export function reported({ message, extensions = {} }: ReportedError): AntidoteError {
  const { code, retryable, retryAfterMs, requestId, ...details } = extensions;
  return new AntidoteError({
    code: (code ?? "INVALID_ANSWER") as AntidoteErrorCode,
    message,
    retryable: retryable === true,
    retryAfterMs: typeof retryAfterMs === "number" ? retryAfterMs : undefined,
    requestId: typeof requestId === "string" ? requestId : undefined,
    details,
  });
}

interface Loss extends ErrorOptions {
  readonly retryAfterMs?: number;
}

export const connectionLost = (message: string, { retryAfterMs, cause }: Loss = {}): AntidoteError =>
  new AntidoteError({ code: "CONNECTION_LOST", message, retryable: true, retryAfterMs }, { cause });

export const notFound = (what: string, id: string): AntidoteError =>
  new AntidoteError({ code: "NOT_FOUND", message: `There is no ${what} "${id}".` });
