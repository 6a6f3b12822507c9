import type { JobRecord } from "../jobs/job.ts";
import { isDigest } from "../store/digests.ts";
import type { PurifyJobSpec } from "./job-specs.ts";
import type { Prompts } from "./prompts.ts";

interface Sources {
  readonly prompts: Pick<Prompts, "findVersion">;
  readonly findJob: (id: string) => Promise<JobRecord | undefined>;
}

/**
 * The blobs of the shots that a version was learned from, with those of the version that a class was added to; undefined
 * where nothing tells, as of one that was imported.
 */
export async function shotsOf(versionId: string, sources: Sources): Promise<ReadonlySet<string> | undefined> {
  const { jobId } = (await sources.prompts.findVersion(versionId)) ?? {};
  const job = jobId === undefined ? undefined : await sources.findJob(jobId);
  if (!job) return undefined;
  const { shots, request } = job.spec as PurifyJobSpec;
  const own = shots.map(({ blob }) => blob);
  // Early versions of this program named images by their paths.
  if (!own.every(isDigest)) return undefined;
  if (!request.addedTo) return new Set(own);
  const before = await shotsOf(request.addedTo.id, sources);
  return before && new Set([...before, ...own]);
}
