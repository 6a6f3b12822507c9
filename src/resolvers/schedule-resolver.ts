import { Arg, Ctx, FieldResolver, ID, Int, Mutation, Resolver, Root } from "type-graphql";
import type { Context } from "../context.ts";
import { Dataset } from "../models/dataset.ts";
import { Evaluation } from "../models/evaluation.ts";
import { PromptSet } from "../models/prompt-set.ts";
import { PromptVersion } from "../models/prompt-version.ts";
import { Schedule } from "../models/schedule.ts";
import { ScheduleEvaluationInput } from "../models/schedule-evaluation-input.ts";
import { ScheduleOutcome } from "../models/schedule-outcome.ts";
import { SchedulePayload } from "../models/schedule-payload.ts";
import { NeedsScope } from "./authorise.ts";
import { requireId } from "./identifiers.ts";
import { scheduleChoice } from "./inputs.ts";
import { pageSize } from "./page-size.ts";
import { payload } from "./user-errors.ts";
import { viewDataset, viewEvaluation, viewOutcome, viewSchedule, viewVersion } from "./views.ts";

@Resolver(() => Schedule)
export class ScheduleResolver {
  @NeedsScope("prompts:write")
  @Mutation(() => SchedulePayload, {
    description:
      "Evaluates the version that an alias is at again and again. When a term of the gate is measured not to hold, the alias moves back to the last version of its history that has passed, unless somebody has moved it meanwhile. At most 20. Costs 50.",
    complexity: 50,
  })
  scheduleEvaluation(
    @Arg("input", () => ScheduleEvaluationInput) input: ScheduleEvaluationInput,
    @Arg("idempotencyKey", () => String, {
      nullable: true,
      description: "The same key with the same input answers the schedule that it has made.",
    })
    idempotencyKey: string | undefined,
    @Ctx() { tenant, caller }: Context,
  ): Promise<SchedulePayload> {
    return payload(async () => {
      const record = await tenant.schedules.create(
        scheduleChoice(input),
        caller?.keyName ?? "",
        idempotencyKey ?? undefined,
      );
      return { schedule: viewSchedule(record) };
    });
  }

  @NeedsScope("prompts:write")
  @Mutation(() => SchedulePayload, {
    description: "Ends a schedule. Evaluations that it has started go on, but nothing moves for them.",
  })
  cancelSchedule(@Arg("id", () => ID) id: string, @Ctx() { tenant }: Context): Promise<SchedulePayload> {
    return payload(async () => {
      const record = await tenant.schedules.cancel(requireId("schedule", id, "id"));
      return { schedule: viewSchedule(record) };
    });
  }

  @FieldResolver(() => Dataset, { nullable: true })
  async dataset(@Root() { record }: Schedule, @Ctx() { tenant }: Context): Promise<Dataset | undefined> {
    const dataset = await tenant.datasets.find(record.dataset);
    return dataset && viewDataset(dataset);
  }

  @FieldResolver(() => [ScheduleOutcome], { description: "Newest first." })
  async outcomes(
    @Root() { record }: Schedule,
    @Arg("first", () => Int, { nullable: true, defaultValue: 20 }) first: number,
    @Ctx() { tenant }: Context,
  ): Promise<ScheduleOutcome[]> {
    return (await tenant.schedules.outcomes(record, pageSize(first))).map(viewOutcome);
  }
}

@Resolver(() => ScheduleOutcome)
export class ScheduleOutcomeResolver {
  @FieldResolver(() => PromptVersion, { nullable: true, description: "The version that was evaluated." })
  version(@Root() { record }: ScheduleOutcome, @Ctx() context: Context): Promise<PromptVersion | undefined> {
    return versionOf(record.versionId, context);
  }

  @FieldResolver(() => PromptVersion, { nullable: true, description: "Where the alias was moved back to." })
  to(@Root() { record }: ScheduleOutcome, @Ctx() context: Context): Promise<PromptVersion | undefined> {
    return versionOf(record.to, context);
  }

  @FieldResolver(() => [Evaluation])
  async evaluations(@Root() { record }: ScheduleOutcome, @Ctx() { tenant }: Context): Promise<Evaluation[]> {
    const found = await Promise.all(record.evaluations.map((id) => tenant.evaluations.find(id)));
    return found.filter((evaluation) => evaluation !== undefined).map(viewEvaluation);
  }
}

@Resolver(() => PromptSet)
export class PromptSetSchedulesResolver {
  @FieldResolver(() => [Schedule], { description: "Oldest first." })
  async schedules(@Root() { name }: PromptSet, @Ctx() { tenant }: Context): Promise<Schedule[]> {
    return (await tenant.schedules.list(name)).map(viewSchedule);
  }
}

async function versionOf(id: string | undefined, { tenant }: Context): Promise<PromptVersion | undefined> {
  const version = id === undefined ? undefined : await tenant.prompts.findVersion(id);
  return version && viewVersion(version);
}
