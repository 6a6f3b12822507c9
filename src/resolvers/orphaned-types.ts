import { AuditJob } from "../models/audit-job.ts";
import { CheckpointSaved } from "../models/checkpoint-saved.ts";
import { DefenceJob } from "../models/defence-job.ts";
import { EvaluationJob } from "../models/evaluation-job.ts";
import { ImplantJob } from "../models/implant-job.ts";
import { LogLine } from "../models/log-line.ts";
import { PurificationJob } from "../models/purification-job.ts";
import { StatusChanged } from "../models/status-changed.ts";
import { StepMetrics } from "../models/step-metrics.ts";

/** Types that no field names, because fields name the interface that they implement. */
export const ORPHANED_TYPES = [
  AuditJob,
  PurificationJob,
  EvaluationJob,
  ImplantJob,
  DefenceJob,
  StatusChanged,
  StepMetrics,
  CheckpointSaved,
  LogLine,
];
