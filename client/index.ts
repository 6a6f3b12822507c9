/** A client of Antidote for any JavaScript with `fetch`: Node 20 and later, browsers, workers. */
export * from "./answers.ts";
export {
  type AliasMove,
  Antidote,
  type ClassifyOptions,
  type EvaluateInput,
  type Example,
  type Examples,
  type ListOptions,
  type RegisterOptions,
  type StartOptions,
} from "./antidote.ts";
export type { AntidoteOptions, RequestOptions } from "./connection.ts";
export { AntidoteError, type AntidoteErrorCode } from "./errors.ts";
export type { EventsOptions } from "./events.ts";
export type { FileSource, ImageSource } from "./files.ts";
export type { Job } from "./job.ts";
export type { RetryPolicy } from "./retry.ts";
export type {
  AttackInput,
  AuditInput,
  ErrorCode,
  JobEvent,
  JobStatus,
  PurifyInput,
  Rate,
  Through,
} from "./schema.ts";
