import { Arg, Authorized, Ctx, ID, Query, Resolver } from "type-graphql";
import type { Context } from "../context.ts";
import { AppError } from "../errors.ts";
import { Node } from "../models/node.ts";
import { type IdKind, kindOf, localId } from "../services/global-id.ts";
import {
  viewAsset,
  viewDataset,
  viewEvaluation,
  viewJob,
  viewKey,
  viewModel,
  viewPromptSet,
  viewSchedule,
  viewTenant,
  viewVersion,
  viewWebhook,
} from "./views.ts";

type Finder = (id: string, context: Context) => Promise<Node | undefined>;

const seen = <Record>(record: Record | undefined, view: (record: Record) => Node): Node | undefined =>
  record === undefined ? undefined : view(record);

const isAdmin = ({ caller }: Context): boolean => caller?.scopes.includes("admin") === true;

/** How each kind is found, always through the tenant's own door. What belongs to others is not there. */
const FINDERS: Readonly<Record<IdKind, Finder>> = {
  model: async (id, { server }) =>
    seen(await server.models.find(id), (record) => viewModel(record, server.serving.isLoaded(record))),
  asset: async (id, { server }) => seen(server.samples.get(id), viewAsset),
  dataset: async (id, { tenant }) => seen(await tenant.datasets.find(id), viewDataset),
  promptset: async (id, { tenant }) => seen(await tenant.prompts.findSet(id), viewPromptSet),
  version: async (id, { tenant }) => seen(await tenant.prompts.findVersion(id), viewVersion),
  job: async (id, { tenant }) => seen(await tenant.jobs.find(id), viewJob),
  evaluation: async (id, { tenant }) => seen(await tenant.evaluations.find(id), viewEvaluation),
  schedule: async (id, { tenant }) => seen(await tenant.schedules.find(id), viewSchedule),
  webhook: async (id, { tenant }) => seen(await tenant.webhooks.find(id), viewWebhook),
  tenant: async (id, context) =>
    isAdmin(context) ? seen(await context.server.access.tenant(id), viewTenant) : undefined,
  key: async (id, context) => {
    const { keys } = context.server.access;
    const record = isAdmin(context) ? (await keys.list()).find((key) => key.id === id) : undefined;
    return record && viewKey(record, (await keys.use.times()).get(id));
  },
};

@Resolver()
export class NodeResolver {
  @Authorized()
  @Query(() => Node, { nullable: true })
  async node(@Arg("id", () => ID) id: string, @Ctx() context: Context): Promise<Node | undefined> {
    const kind = kindOf(id);
    return kind && FINDERS[kind](localId(kind, id) ?? "", context);
  }

  @Authorized()
  @Query(() => [Node], {
    nullable: "items",
    description: "At most 100.",
    complexity: ({ args, childComplexity }) => Math.max(1, args.ids?.length ?? 1) * (childComplexity + 1),
  })
  async nodes(@Arg("ids", () => [ID]) ids: string[], @Ctx() context: Context): Promise<(Node | undefined)[]> {
    if (ids.length > 100)
      throw new AppError("BAD_USER_INPUT", `At most 100 ids can be asked for, not ${ids.length}.`);
    return Promise.all(ids.map((id) => this.node(id, context)));
  }
}
