import { Ctx, FieldResolver, Resolver, Root } from "type-graphql";
import type { Context } from "../context.ts";
import { recordedConfig } from "../engine/cbpt/config.ts";
import { Audit } from "../models/audit.ts";
import { Checkpoint } from "../models/checkpoint.ts";
import { CheckpointSaved } from "../models/checkpoint-saved.ts";
import { GateOutcome } from "../models/gate-outcome.ts";
import { PromptVersion } from "../models/prompt-version.ts";
import { PurificationJob } from "../models/purification-job.ts";
import { PurifyConfig } from "../models/purify-config.ts";
import type { PurifyMode } from "../models/purify-mode.ts";
import type { PurifyJobSpec, PurifyOutcome } from "../services/job-specs.ts";
import { make, viewAudit, viewEvent, viewVersion } from "./views.ts";

const MOST_EVENTS = 100_000;

@Resolver(() => PurificationJob)
export class PurificationJobResolver {
  @FieldResolver(() => PurifyConfig)
  config(@Root() { record }: PurificationJob): PurifyConfig {
    const { config, mode, request } = record.spec as PurifyJobSpec;
    return make(PurifyConfig, {
      ...recordedConfig(config as object),
      mode: mode as PurifyMode,
      shots: request.shots,
    } as Partial<PurifyConfig>);
  }

  @FieldResolver(() => PromptVersion, { nullable: true, description: "Once it has succeeded." })
  async result(@Root() job: PurificationJob, @Ctx() { tenant }: Context): Promise<PromptVersion | undefined> {
    const version = outcome(job) && (await tenant.prompts.findVersion(outcome(job)?.versionId ?? ""));
    return version && viewVersion(version);
  }

  @FieldResolver(() => PromptVersion, {
    nullable: true,
    description: "The version that a class is added to, whose other classes stay; none where all are tuned.",
  })
  async addedTo(
    @Root() { record }: PurificationJob,
    @Ctx() { tenant }: Context,
  ): Promise<PromptVersion | undefined> {
    const { addedTo } = (record.spec as PurifyJobSpec).request;
    const version = addedTo && (await tenant.prompts.findVersion(addedTo.id));
    return version && viewVersion(version);
  }

  @FieldResolver(() => Audit, { nullable: true, description: "What the universal mode found first." })
  audit(@Root() job: PurificationJob): Audit | undefined {
    const audit = outcome(job)?.audit;
    return audit && viewAudit(audit);
  }

  @FieldResolver(() => GateOutcome, { nullable: true })
  gate(@Root() job: PurificationJob): GateOutcome | undefined {
    const gate = outcome(job)?.gate;
    return gate && { ...gate, reasons: [...gate.reasons] };
  }

  @FieldResolver(() => [Checkpoint], {
    description: "Oldest first. Costs 50 besides its fields.",
    complexity: ({ childComplexity }) => 50 + childComplexity,
  })
  async checkpoints(@Root() { record }: PurificationJob, @Ctx() { tenant }: Context): Promise<Checkpoint[]> {
    const stored = await tenant.jobs.storedEvents(record.id, 0, MOST_EVENTS);
    const events = stored.map(({ seq, event }) => viewEvent(record.id, seq, event));
    return events.filter((event) => event instanceof CheckpointSaved).map(({ checkpoint }) => checkpoint);
  }
}

const outcome = ({ record }: PurificationJob): PurifyOutcome | undefined =>
  record.status === "SUCCEEDED" ? (record.result as PurifyOutcome) : undefined;
