import { Arg, Ctx, FieldResolver, Mutation, Resolver, Root } from "type-graphql";
import type { Context } from "../context.ts";
import { IMPLANT_PARAMETERS } from "../engine/training/implant.ts";
import { ImplantInput } from "../models/implant-input.ts";
import { ImplantJob } from "../models/implant-job.ts";
import { JobPayload } from "../models/job-payload.ts";
import { Model } from "../models/model.ts";
import type { ImplantChoice } from "../services/implant-planner.ts";
import type { ImplantOutcome } from "../services/job-specs.ts";
import { NeedsScope } from "./authorise.ts";
import { requireId } from "./identifiers.ts";
import { attackChoice } from "./inputs.ts";
import { KEY, started } from "./started.ts";
import { viewModel } from "./views.ts";

@Resolver(() => ImplantJob)
export class ImplantJobResolver {
  @NeedsScope("admin")
  @Mutation(() => JobPayload, {
    description:
      "Makes a poisoned copy of a model, to try defences on; follow it with jobEvents. Off unless the server was started with ALLOW_ATTACKS=1. Costs 50.",
    complexity: 50,
  })
  implantBackdoor(
    @Arg("input", () => ImplantInput) input: ImplantInput,
    @Arg("idempotencyKey", () => String, KEY) idempotencyKey: string,
    @Ctx() { tenant }: Context,
  ): Promise<JobPayload> {
    return started(() => tenant.jobs.implant(implantChoice(input), idempotencyKey));
  }

  @FieldResolver(() => Model, { nullable: true, description: "The poisoned model, once it has succeeded." })
  async result(@Root() { record }: ImplantJob, @Ctx() { server }: Context): Promise<Model | undefined> {
    const outcome = record.status === "SUCCEEDED" ? (record.result as ImplantOutcome) : undefined;
    const model = outcome && (await server.models.find(outcome.model));
    return model && viewModel(model, server.serving.isLoaded(model));
  }
}

function implantChoice(input: ImplantInput): ImplantChoice {
  const names = Object.keys(IMPLANT_PARAMETERS) as (keyof typeof IMPLANT_PARAMETERS)[];
  const { testDatasetId: test, attack } = input;
  return {
    model: requireId("model", input.modelId, "input", "modelId"),
    name: input.name,
    attack: attackChoice(attack, "input", "attack"),
    others: (input.others ?? []).map((other) => attackChoice(other, "input", "others")),
    fit: input.fit ?? {},
    dataset: requireId("dataset", input.datasetId, "input", "datasetId"),
    testDataset: test == null ? undefined : requireId("dataset", test, "input", "testDatasetId"),
    labels: input.labels ?? undefined,
    templates: input.templates ?? undefined,
    device: input.device ?? undefined,
    parameters: Object.fromEntries(
      names.flatMap((name) => (input[name] == null ? [] : [[name, input[name]]])),
    ),
  };
}
