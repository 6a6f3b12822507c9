import type { JobHandler, JobKind } from "../job.ts";
import { audit } from "./audit.ts";
import { defend } from "./defend.ts";
import { evaluate } from "./evaluate.ts";
import { extend } from "./extend.ts";
import { implant } from "./implant.ts";
import { purify } from "./purify.ts";

/** What runs each kind of job. */
export const handlers: Readonly<Record<JobKind, JobHandler<unknown, unknown>>> = {
  audit,
  purify,
  extend,
  evaluate,
  implant,
  defend,
};
