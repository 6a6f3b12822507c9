import { registerEnumType } from "type-graphql";

export enum JobStatus {
  QUEUED = "QUEUED",
  VALIDATING = "VALIDATING",
  RUNNING = "RUNNING",
  CANCELLING = "CANCELLING",
  SUCCEEDED = "SUCCEEDED",
  FAILED = "FAILED",
  CANCELLED = "CANCELLED",
}

registerEnumType(JobStatus, {
  name: "JobStatus",
  description: "The last three are final, but a job can be resumed.",
});
