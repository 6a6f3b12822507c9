import type { JobRecord } from "../jobs/job.ts";
import { isOver } from "../jobs/states.ts";
import type { Entry } from "../store/store.ts";
import { isOfNewerFormat } from "../store/versioned-store.ts";
import type { StoredVersion } from "./stored-version.ts";

const JOB = /^tenants\/[^/]+\/jobs\/[^/]+$/;
const VERSION = /^tenants\/[^/]+\/versions\/[^/]+$/;

/**
 * What of a record may name blobs that are needed: all of it, but for two digests that are only told. Without these
 * exceptions nearly every image would stay for ever, because jobs and versions do.
 *
 * - The spec of a job that is over: nobody reads its files again. What it made is named by its result.
 * - The data set that a version was made with. Its digest is a part of what the version is, and never fetched by.
 */
export function blobReferences(
  resumeMilliseconds: number,
  now = () => new Date(),
): (entry: Entry<unknown>) => unknown {
  return ({ key, value }) => {
    if (isOfNewerFormat(value)) return value;
    if (JOB.test(key)) return ofJob(value as JobRecord, now(), resumeMilliseconds);
    return VERSION.test(key) ? ofVersion(value as StoredVersion) : value;
  };
}

function ofJob(job: JobRecord, now: Date, resumeMilliseconds: number): unknown {
  return isOver(job, now, resumeMilliseconds) ? { ...job, spec: undefined } : job;
}

function ofVersion(version: StoredVersion): unknown {
  const { manifest } = version;
  const source = "source" in manifest && { source: { ...manifest.source, dataset: undefined } };
  return { ...version, manifest: { ...manifest, dataset: undefined, ...source } };
}
