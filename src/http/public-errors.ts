import { GraphQLError, type GraphQLFormattedError } from "graphql";
import type { Logger } from "pino";
import { AppError, ERROR_CODES, type ErrorCode } from "../errors.ts";

/** Failures that the same request may not meet again. */
const RETRYABLE: ReadonlySet<ErrorCode> = new Set([
  "THROTTLED",
  "OVERLOADED",
  "DEADLINE_EXCEEDED",
  "WORKER_LOST",
  "NEWER_RECORD",
]);

/** What other libraries call what this API calls otherwise. */
const TRANSLATED: Readonly<Record<string, ErrorCode>> = {
  GRAPHQL_PARSE_FAILED: "PARSE_FAILED",
  GRAPHQL_VALIDATION_FAILED: "VALIDATION_FAILED",
  BAD_REQUEST: "BAD_USER_INPUT",
  OPERATION_RESOLUTION_FAILURE: "BAD_USER_INPUT",
};

const HTTP_STATUS: Partial<Record<ErrorCode, number>> = {
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  DOCUMENT_NOT_TRUSTED: 403,
  THROTTLED: 429,
  OVERLOADED: 503,
  NEWER_RECORD: 503,
  PAYLOAD_TOO_LARGE: 413,
  INTERNAL: 500,
};

/** What an error tells the caller beside its message; the last two of a quota that is used up. */
export interface ToldExtensions {
  readonly code: ErrorCode;
  readonly retryAfterMs?: number;
  readonly quota?: string;
  readonly resetsAt?: string;
}

/** Whoever has had all requests is told so as one that asks too fast is; other quotas leave requests in order. */
export const httpStatusOf = ({ code, quota }: ToldExtensions): number =>
  code === "QUOTA_EXCEEDED" && quota === "requests" ? 429 : (HTTP_STATUS[code] ?? 400);

/** For `retry-after`: how long to wait, also where that is too long for `retryAfterMs`; undefined where it does not help. */
export function secondsToWait({ retryAfterMs, resetsAt }: ToldExtensions): number | undefined {
  const wait = retryAfterMs ?? (resetsAt === undefined ? undefined : Date.parse(resetsAt) - Date.now());
  return wait === undefined ? undefined : Math.max(1, Math.ceil(wait / 1000));
}

/**
 * An error as the caller may see it: `extensions { code, retryable, retryAfterMs, requestId }`. What nobody expected
 * is logged under the request's id and told as INTERNAL, without a word of its own.
 */
export function publicError(error: unknown, requestId: string, logger: Logger): GraphQLFormattedError {
  const known = knownErrorOf(error);
  if (!known) logger.error({ requestId, err: rootOf(error) }, "unexpected error");
  const { code, message, details } = known ?? masked();
  const { code: _, retryAfterMs, ...facts } = details;
  const located = error instanceof GraphQLError ? { locations: error.locations, path: error.path } : {};
  return {
    message,
    ...located,
    extensions: {
      ...facts,
      code,
      retryable: RETRYABLE.has(code),
      ...(typeof retryAfterMs === "number" ? { retryAfterMs } : {}),
      requestId,
    },
  };
}

/** What the caller is told of an error as its code. */
export const codeOf = (error: unknown): ErrorCode => (knownErrorOf(error) ?? masked()).code;

type Known = Pick<AppError, "code" | "message" | "details">;

const masked = (): Known => ({
  code: "INTERNAL",
  message: "Something went wrong on the server. Its log tells more under this request id.",
  details: {},
});

/** What was thrown in the first place. */
function rootOf(error: unknown): unknown {
  return error instanceof GraphQLError && error.originalError ? rootOf(error.originalError) : error;
}

function knownErrorOf(error: unknown): Known | undefined {
  const root = rootOf(error);
  if (root instanceof AppError) return root.code === "INTERNAL" ? undefined : root;
  const code = error instanceof GraphQLError ? graphqlCode(error) : httpCode(root);
  return code && { code, message: (error as Error).message, details: {} };
}

/** The code of an error that GraphQL itself found in the request; an error with a path came from a resolver. */
function graphqlCode(error: GraphQLError): ErrorCode | undefined {
  const { code } = error.extensions;
  if (typeof code === "string") {
    if (Object.hasOwn(TRANSLATED, code)) return TRANSLATED[code];
    if (code !== "INTERNAL" && (ERROR_CODES as readonly string[]).includes(code)) return code as ErrorCode;
  }
  if (error.path === undefined && code === undefined) return "BAD_USER_INPUT";
  return error.path === undefined ? undefined : httpCode(error.originalError);
}

/** The body parsers' errors carry the status that they mean. */
function httpCode(error: unknown): ErrorCode | undefined {
  const { status, expose } = (error ?? {}) as { status?: unknown; expose?: unknown };
  if (typeof status !== "number" || expose === false) return undefined;
  if (status === 413) return "PAYLOAD_TOO_LARGE";
  return status >= 400 && status < 500 ? "BAD_USER_INPUT" : undefined;
}
