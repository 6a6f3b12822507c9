import { Arg, Ctx, FieldResolver, Int, Resolver, Root } from "type-graphql";
import type { Context } from "../context.ts";
import { AppError } from "../errors.ts";
import { Alias } from "../models/alias.ts";
import { AliasMove } from "../models/alias-move.ts";
import { Evaluation } from "../models/evaluation.ts";
import { PromptVersion } from "../models/prompt-version.ts";
import { globalId } from "../services/global-id.ts";
import { pageSize } from "./page-size.ts";
import { make, viewEvaluation, viewVersion } from "./views.ts";

@Resolver(() => Alias)
export class AliasResolver {
  @FieldResolver(() => PromptVersion)
  async version(@Root() { record }: Alias, @Ctx() { tenant }: Context): Promise<PromptVersion> {
    return viewVersion(await tenant.prompts.getVersion(record.versionId));
  }

  @FieldResolver(() => [AliasMove], { description: "Newest first." })
  async history(
    @Root() { record }: Alias,
    @Arg("first", () => Int, { nullable: true, defaultValue: 20 }) first: number,
    @Arg("skip", () => Int, {
      nullable: true,
      defaultValue: 0,
      description: "How many of the newest are known already.",
    })
    skip: number,
    @Ctx() { tenant }: Context,
  ): Promise<AliasMove[]> {
    if (skip < 0) throw new AppError("BAD_USER_INPUT", `skip must be at least 0, not ${skip}.`);
    const moves = await tenant.aliases.history(record, pageSize(first), skip);
    return moves.map(({ at, by, from, to, reason, evidence }) =>
      make(AliasMove, {
        at,
        by,
        from: from === undefined ? undefined : globalId("version", from),
        to: globalId("version", to),
        reason,
        evidenceId: evidence,
      }),
    );
  }
}

@Resolver(() => AliasMove)
export class AliasMoveResolver {
  @FieldResolver(() => Evaluation, { nullable: true, description: "What spoke for the move." })
  async evidence(
    @Root() { evidenceId }: AliasMove,
    @Ctx() { tenant }: Context,
  ): Promise<Evaluation | undefined> {
    const record = evidenceId === undefined ? undefined : await tenant.evaluations.find(evidenceId);
    return record && viewEvaluation(record);
  }
}
