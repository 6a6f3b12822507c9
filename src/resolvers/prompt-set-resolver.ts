import { Arg, Authorized, Ctx, FieldResolver, ID, Int, Mutation, Query, Resolver, Root } from "type-graphql";
import type { Context } from "../context.ts";
import { AppError } from "../errors.ts";
import { Alias } from "../models/alias.ts";
import { AliasPayload } from "../models/alias-payload.ts";
import { AliasRef } from "../models/alias-ref.ts";
import { ImportPromptsInput } from "../models/import-prompts-input.ts";
import { PromptSet } from "../models/prompt-set.ts";
import { PromptVersionConnection } from "../models/prompt-version-connection.ts";
import { VersionPayload } from "../models/version-payload.ts";
import { notFound } from "../services/not-found.ts";
import { NeedsScope } from "./authorise.ts";
import { requireId } from "./identifiers.ts";
import { coopChoice, fileBytes } from "./inputs.ts";
import { AFTER, afterOf, pageSize } from "./page-size.ts";
import { payload } from "./user-errors.ts";
import { viewAlias, viewPromptSet, viewVersion } from "./views.ts";

@Resolver(() => PromptSet)
export class PromptSetResolver {
  @Authorized()
  @Query(() => [PromptSet], {
    description: "Names under which versions of prompts come after each other, each with its aliases.",
  })
  async promptSets(
    @Arg("first", () => Int, { nullable: true, defaultValue: 20 }) first: number,
    @Arg("after", () => String, AFTER) after: string | undefined,
    @Ctx() { tenant }: Context,
  ): Promise<PromptSet[]> {
    return (await tenant.prompts.listSets(pageSize(first), afterOf("promptset", after))).map(viewPromptSet);
  }

  @Authorized()
  @Query(() => PromptSet, {
    nullable: true,
    description: "The prompt set of that name; null when there is none.",
  })
  async promptSet(
    @Arg("name", () => String) name: string,
    @Ctx() { tenant }: Context,
  ): Promise<PromptSet | undefined> {
    const record = await tenant.prompts.findSet(name);
    return record && viewPromptSet(record);
  }

  @NeedsScope("prompts:write")
  @Mutation(() => AliasPayload, {
    description:
      "Moves an alias to a version, if it is where `expected` says: STALE_ALIAS otherwise. Rolling back is moving it back.",
  })
  moveAlias(
    @Arg("ref", () => AliasRef) ref: AliasRef,
    @Arg("to", () => ID) to: string,
    @Arg("expected", () => ID, { nullable: true, description: "The version that the alias must be at now." })
    expected: string | undefined,
    @Arg("evidenceId", () => ID, { nullable: true, description: "An evaluation of the version." })
    evidenceId: string | undefined,
    @Arg("reason", () => String, { nullable: true }) reason: string | undefined,
    @Ctx() { tenant, caller }: Context,
  ): Promise<AliasPayload> {
    return payload(async () => {
      const version = await tenant.prompts.getVersion(requireId("version", to, "to"));
      if (!(await tenant.prompts.has(ref.promptSet, version)))
        throw new AppError("VALIDATION_FAILED", "The version belongs to another prompt set.", {
          path: ["to"],
        });
      const evidence = evidenceId == null ? undefined : requireId("evaluation", evidenceId, "evidenceId");
      if (evidence !== undefined && (await tenant.evaluations.find(evidence))?.versionId !== version.id)
        throw new AppError("VALIDATION_FAILED", "The evidence is no evaluation of this version.", {
          path: ["evidenceId"],
        });
      const move = {
        promptSet: ref.promptSet,
        alias: ref.alias,
        to: version.id,
        by: caller?.keyName ?? "",
        reason: reason?.slice(0, 500),
        evidence,
      };
      const before = expected == null ? undefined : requireId("version", expected, "expected");
      return { alias: viewAlias(await tenant.aliases.move(move, before)) };
    });
  }

  @NeedsScope("prompts:write")
  @Mutation(() => VersionPayload, {
    description:
      "Takes in prompts that were learned elsewhere. A bundle that was exported comes back as the same version, with the same digest: its text features are computed again with the model and compared. No alias moves. Costs 50.",
    complexity: 50,
  })
  importPrompts(
    @Arg("input", () => ImportPromptsInput) input: ImportPromptsInput,
    @Ctx() { tenant, caller, uploads }: Context,
  ): Promise<VersionPayload> {
    return payload(
      async () => {
        const { version, isNew } = await tenant.imports.import({
          model: requireId("model", input.modelId, "input", "modelId"),
          promptSet: input.promptSet,
          file: await fileBytes(input.bundle, uploads),
          coop: input.coop && coopChoice(input.coop),
          by: caller?.keyName ?? "",
        });
        return { version: viewVersion(version), isNew };
      },
      { isNew: false },
    );
  }

  @FieldResolver(() => [Alias])
  async aliases(@Root() { name }: PromptSet, @Ctx() { tenant }: Context): Promise<Alias[]> {
    return (await tenant.aliases.list(name)).map(viewAlias);
  }

  @FieldResolver(() => PromptVersionConnection)
  async versions(
    @Root() { name }: PromptSet,
    @Arg("first", () => Int, { nullable: true, defaultValue: 20 }) first: number,
    @Arg("after", () => String, { nullable: true }) after: string | undefined,
    @Ctx() { tenant }: Context,
  ): Promise<PromptVersionConnection> {
    const set = await tenant.prompts.findSet(name);
    if (!set) throw notFound("prompt set", name);
    const { versions, hasMore } = await tenant.prompts.page(name, pageSize(first), readCursor(after));
    const edges = versions.map((version) => ({ cursor: String(version.number), node: viewVersion(version) }));
    return {
      edges,
      totalCount: set.versions,
      pageInfo: {
        hasNextPage: hasMore,
        hasPreviousPage: after != null,
        startCursor: edges[0]?.cursor,
        endCursor: edges.at(-1)?.cursor,
      },
    };
  }
}

/** Versions are numbered, so the number is the cursor. */
function readCursor(cursor: string | undefined): number | undefined {
  if (cursor == null) return undefined;
  if (/^[1-9]\d{0,9}$/.test(cursor)) return Number(cursor);
  throw new AppError("BAD_USER_INPUT", "`after` is not a cursor of this list.");
}
