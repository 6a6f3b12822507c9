import { Arg, Authorized, Ctx, ID, Int, Mutation, Query, Resolver } from "type-graphql";
import type { Context } from "../context.ts";
import { CreateDatasetInput } from "../models/create-dataset-input.ts";
import { Dataset } from "../models/dataset.ts";
import { DatasetPayload } from "../models/dataset-payload.ts";
import { ExamplesInput } from "../models/examples-input.ts";
import { readImage } from "../services/image-source.ts";
import { NeedsScope } from "./authorise.ts";
import { requireId } from "./identifiers.ts";
import { examples } from "./inputs.ts";
import { AFTER, afterOf, pageSize } from "./page-size.ts";
import { payload } from "./user-errors.ts";
import { viewDataset } from "./views.ts";

@Resolver(() => Dataset)
export class DatasetResolver {
  @Authorized()
  @Query(() => [Dataset])
  async datasets(
    @Arg("first", () => Int, { nullable: true, defaultValue: 20 }) first: number,
    @Arg("after", () => String, AFTER) after: string | undefined,
    @Ctx() { tenant }: Context,
  ): Promise<Dataset[]> {
    return (await tenant.datasets.list(pageSize(first), afterOf("dataset", after))).map(viewDataset);
  }

  @Authorized()
  @Query(() => Dataset, { nullable: true, description: "The dataset of that name; null when there is none." })
  async dataset(
    @Arg("name", () => String) name: string,
    @Ctx() { tenant }: Context,
  ): Promise<Dataset | undefined> {
    const record = await tenant.datasets.find(name);
    return record && viewDataset(record);
  }

  @NeedsScope("datasets:write")
  @Mutation(() => DatasetPayload, {
    description:
      "Makes a dataset of labelled images. Images that cannot be used are left out and told. Costs 50.",
    complexity: 50,
  })
  createDataset(
    @Arg("input", () => CreateDatasetInput) input: CreateDatasetInput,
    @Ctx() { tenant, uploads, server }: Context,
  ): Promise<DatasetPayload> {
    return payload(
      async () => {
        const given = examples(input.examples, uploads, (source) => readImage(source, server.samples));
        const { record, rejected } = await tenant.datasets.create(input.name, given);
        return { dataset: viewDataset(record), rejected };
      },
      { rejected: [] },
    );
  }

  @NeedsScope("datasets:write")
  @Mutation(() => DatasetPayload, {
    description: "Adds labelled images to a dataset. What it has already is not added again. Costs 50.",
    complexity: 50,
  })
  addExamples(
    @Arg("datasetId", () => ID) datasetId: string,
    @Arg("examples", () => ExamplesInput) input: ExamplesInput,
    @Ctx() { tenant, uploads, server }: Context,
  ): Promise<DatasetPayload> {
    return payload(
      async () => {
        const given = examples(input, uploads, (source) => readImage(source, server.samples));
        const { record, rejected } = await tenant.datasets.add(
          requireId("dataset", datasetId, "datasetId"),
          given,
        );
        return { dataset: viewDataset(record), rejected };
      },
      { rejected: [] },
    );
  }

  @NeedsScope("datasets:write")
  @Mutation(() => DatasetPayload, {
    description:
      "Deletes a dataset; what it stored is not counted any more. Jobs that were started with it go on. Images that nothing else needs are removed for good some days later.",
  })
  deleteDataset(
    @Arg("datasetId", () => ID) datasetId: string,
    @Ctx() { tenant }: Context,
  ): Promise<DatasetPayload> {
    return payload(
      async () => {
        const record = await tenant.datasets.remove(requireId("dataset", datasetId, "datasetId"));
        return { dataset: viewDataset(record), rejected: [] };
      },
      { rejected: [] },
    );
  }
}
