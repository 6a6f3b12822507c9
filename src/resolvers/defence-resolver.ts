import { Arg, Authorized, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from "type-graphql";
import type { Context } from "../context.ts";
import { defenceNamed } from "../engine/defences/index.ts";
import { Audit } from "../models/audit.ts";
import { RUNNABLE_DEFENCES } from "../models/defence.ts";
import { DefenceDescription } from "../models/defence-description.ts";
import { DefenceJob } from "../models/defence-job.ts";
import { DefendInput } from "../models/defend-input.ts";
import { Defended } from "../models/defended.ts";
import { JobPayload } from "../models/job-payload.ts";
import type { Model } from "../models/model.ts";
import type { PromptVersion } from "../models/prompt-version.ts";
import type { DefendChoice } from "../services/defence-planner.ts";
import type { DefendOutcome } from "../services/job-specs.ts";
import { NeedsScope, requireScope } from "./authorise.ts";
import { requireId } from "./identifiers.ts";
import { viewDefence } from "./parameter-views.ts";
import { DRY_RUN, KEY, started } from "./started.ts";
import { viewAudit, viewModel, viewVersion } from "./views.ts";

@Resolver(() => DefenceJob)
export class DefenceResolver {
  @Authorized()
  @Query(() => [DefenceDescription], { description: "All ways to defend a model." })
  defences(): DefenceDescription[] {
    return RUNNABLE_DEFENCES.map((name) => viewDefence(defenceNamed(name)));
  }

  @NeedsScope("prompts:write")
  @Mutation(() => JobPayload, {
    description:
      "Runs a defence on a suspect model; follow it with jobEvents. No alias moves to what it makes. A defence that makes weights needs the scope ADMIN, too, because the new model is everybody's. Costs 50.",
    complexity: 50,
  })
  async defend(
    @Arg("input", () => DefendInput) input: DefendInput,
    @Arg("idempotencyKey", () => String, KEY) idempotencyKey: string,
    @Arg("dryRun", () => Boolean, DRY_RUN) dryRun: boolean,
    @Ctx() context: Context,
  ): Promise<JobPayload> {
    if (defenceNamed(input.defence).makes === "weights") requireScope(context, "admin");
    return started(() => context.tenant.jobs.defend(defendChoice(input), idempotencyKey, dryRun));
  }

  @FieldResolver(() => Defended, { nullable: true, description: "Once it has succeeded." })
  async result(
    @Root() job: DefenceJob,
    @Ctx() { tenant, server }: Context,
  ): Promise<PromptVersion | Model | undefined> {
    const { versionId, model: name } = outcomeOf(job) ?? {};
    const version = versionId === undefined ? undefined : await tenant.prompts.findVersion(versionId);
    const model = name === undefined ? undefined : await server.models.find(name);
    if (version) return viewVersion(version);
    return model && viewModel(model, server.serving.isLoaded(model));
  }

  @FieldResolver(() => Audit, {
    nullable: true,
    description: "What a defence that searches for triggers found.",
  })
  audit(@Root() job: DefenceJob): Audit | undefined {
    const audit = outcomeOf(job)?.audit;
    return audit && viewAudit(audit);
  }
}

const outcomeOf = ({ record }: DefenceJob): DefendOutcome | undefined =>
  record.status === "SUCCEEDED" ? (record.result as DefendOutcome) : undefined;

const defendChoice = (input: DefendInput): DefendChoice => ({
  model: requireId("model", input.modelId, "input", "modelId"),
  dataset: requireId("dataset", input.datasetId, "input", "datasetId"),
  defence: input.defence,
  promptSet: input.promptSet ?? undefined,
  name: input.name ?? undefined,
  labels: input.labels ?? undefined,
  templates: input.templates ?? undefined,
  shots: input.shots ?? 16,
  seed: input.seed ?? 1,
  parameters: input.parameters ?? {},
  device: input.device ?? undefined,
});
