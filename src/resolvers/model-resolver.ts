import { Arg, Authorized, Ctx, ID, Int, Mutation, Query, Resolver } from "type-graphql";
import type { Context } from "../context.ts";
import { AppError } from "../errors.ts";
import { Asset } from "../models/asset.ts";
import { Model } from "../models/model.ts";
import { ModelPayload } from "../models/model-payload.ts";
import { RegisterModelInput } from "../models/register-model-input.ts";
import type { ModelRecord } from "../services/registry.ts";
import { NeedsScope } from "./authorise.ts";
import { requireId } from "./identifiers.ts";
import { registerChoice } from "./inputs.ts";
import { AFTER, afterOf, pageSize } from "./page-size.ts";
import { payload } from "./user-errors.ts";
import { viewAsset, viewModel } from "./views.ts";

@Resolver(() => Model)
export class ModelResolver {
  @Authorized()
  @Query(() => [Model], { description: "The registered models, which every tenant may use." })
  async models(
    @Arg("first", () => Int, { nullable: true, defaultValue: 20 }) first: number,
    @Arg("after", () => String, AFTER) after: string | undefined,
    @Ctx() { server }: Context,
  ): Promise<Model[]> {
    const last = afterOf("model", after);
    const later = (await server.models.list()).filter(({ name }) => last === undefined || name > last);
    const records = later.slice(0, pageSize(first));
    return records.map((record) => viewModel(record, server.serving.isLoaded(record)));
  }

  @Authorized()
  @Query(() => Model, {
    nullable: true,
    description: "The model of that name, which is its folder's; null when there is none.",
  })
  async model(
    @Arg("name", () => String) name: string,
    @Ctx() { server }: Context,
  ): Promise<Model | undefined> {
    const record = await server.models.find(name);
    return record && viewModel(record, server.serving.isLoaded(record));
  }

  @Authorized()
  @Query(() => [Asset], { description: "Sample images that come with the server." })
  assets(@Ctx() { server }: Context): Asset[] {
    return server.samples.list().map(viewAsset);
  }

  @NeedsScope("admin")
  @Mutation(() => ModelPayload, {
    description:
      "Registers the checkpoint in a folder of the models folder, or reads it again: recognised, checked, and tested with a fixed image and text. One that fails changes nothing. Costs 50.",
    complexity: 50,
  })
  registerModel(
    @Arg("input", () => RegisterModelInput, { defaultValue: {} }) input: RegisterModelInput,
    @Ctx() { server }: Context,
  ): Promise<ModelPayload> {
    const view = (record: ModelRecord) => viewModel(record, server.serving.isLoaded(record));
    const { folder, trust, normalisation } = input;
    if (folder == null && trust == null && normalisation == null) return scan(server, view);
    return payload(
      async () => {
        const model = view(await server.models.register(requireFolder(folder), registerChoice(input)));
        return { model, models: [model] };
      },
      { models: [] },
    );
  }

  @NeedsScope("admin")
  @Mutation(() => ModelPayload, {
    description:
      "Forgets a model whose folder was removed from the models folder before. From then on nothing answers through it: `classify` with its versions fails with INCOMPATIBLE_MODEL, and jobs that wait for it with NOT_FOUND, unless a bucket has its files. Versions stay, and answer again when the same weights are registered, under any name. The server that is asked gives its memory back a minute later, others when nobody has asked for it for MODEL_IDLE_MINUTES.",
  })
  deleteModel(@Arg("modelId", () => ID) modelId: string, @Ctx() { server }: Context): Promise<ModelPayload> {
    return payload(
      async () => {
        const record = await server.models.remove(requireId("model", modelId, "modelId"));
        server.serving.release(record);
        return { model: viewModel(record, server.serving.isLoaded(record)), models: [] };
      },
      { models: [] },
    );
  }
}

function requireFolder(folder: string | undefined): string {
  if (folder != null) return folder;
  const message = "Trust and normalisation are said of one model: name its folder.";
  throw new AppError("VALIDATION_FAILED", message, { path: ["input", "folder"] });
}

/** A folder that cannot be used does not keep the others out. */
async function scan(
  { models }: Context["server"],
  view: (record: ModelRecord) => Model,
): Promise<ModelPayload> {
  const { registered, failed } = await models.scan();
  const userErrors = failed.map(({ name, error: { code, message } }) => ({ code, message, path: [name] }));
  return { models: registered.map(view), userErrors };
}
