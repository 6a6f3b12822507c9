import type { Command } from "./command.ts";

export const checkStorageCommand: Command = {
  summary: "Tries the bucket that S3_BUCKET names, with everything that is asked of it.",
  positionals: [],
  flags: {},
  notes: `Writes, reads, lists, copies and removes a few objects under S3_PREFIX, one of them in parts, and tells for each
step whether the storage and the key do it. Nothing of it stays. The exit code is 1 when a step failed.

  S3_BUCKET=antidote S3_ENDPOINT=http://10.0.0.5:9000 S3_ACCESS_KEY_ID=… S3_SECRET_ACCESS_KEY=… antidote check-storage`,
  load: async () => (await import("./check-storage.ts")).checkStorage,
};
