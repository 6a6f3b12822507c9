/** Every code that a caller can meet, in `userErrors`, in `extensions.code` or as a job's failure. */
export const ERROR_CODES = [
  "UNAUTHENTICATED",
  "FORBIDDEN",
  "NOT_FOUND",
  "BAD_USER_INPUT",
  "VALIDATION_FAILED",
  "PARSE_FAILED",
  "PERSISTED_QUERY_NOT_FOUND",
  "DOCUMENT_NOT_TRUSTED",
  "COST_EXCEEDED",
  "THROTTLED",
  "OVERLOADED",
  "PAYLOAD_TOO_LARGE",
  "QUOTA_EXCEEDED",
  "DEADLINE_EXCEEDED",
  "IDEMPOTENCY_CONFLICT",
  "STALE_ALIAS",
  "GATE_FAILED",
  "TRIGGER_NOT_FITTED",
  "INCOMPATIBLE_MODEL",
  "INVALID_CHECKPOINT",
  "UNSUPPORTED_ARCHITECTURE",
  "UNSAFE_ARTIFACT",
  "INVALID_BUNDLE",
  "OP_NOT_DIFFERENTIABLE",
  "INVALID_GRAPH",
  "GPU_UNAVAILABLE",
  "DIVERGED",
  "CANCELLED",
  "NEWER_RECORD",
  "WORKER_LOST",
  "INVALID_CONFIGURATION",
  "DOWNLOAD_FAILED",
  "INTERNAL",
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** Plain facts that help to act on an error: a file, a tensor, a limit. Shown to the caller. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/** An expected failure: what happened, where, and what to do next, with a code that programs can match. */
export class AppError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details: ErrorDetails = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = "AppError";
  }
}
