import { Ctx, FieldResolver, Resolver, Root } from "type-graphql";
import type { Context } from "../context.ts";
import { Evaluation } from "../models/evaluation.ts";
import { EvaluationJob } from "../models/evaluation-job.ts";
import { PromptVersion } from "../models/prompt-version.ts";
import { viewEvaluation, viewVersion } from "./views.ts";

@Resolver(() => EvaluationJob)
export class EvaluationJobResolver {
  @FieldResolver(() => Evaluation, { nullable: true, description: "Once it has succeeded." })
  async result(
    @Root() { record }: EvaluationJob,
    @Ctx() { tenant }: Context,
  ): Promise<Evaluation | undefined> {
    const evaluation = await tenant.evaluations.find(record.id);
    return evaluation && viewEvaluation(evaluation);
  }
}

@Resolver(() => Evaluation)
export class EvaluationResolver {
  @FieldResolver(() => PromptVersion, { nullable: true, description: "None for undefended templates." })
  async version(
    @Root() { versionId }: Evaluation,
    @Ctx() { tenant }: Context,
  ): Promise<PromptVersion | undefined> {
    const version = versionId === undefined ? undefined : await tenant.prompts.findVersion(versionId);
    return version && viewVersion(version);
  }
}
