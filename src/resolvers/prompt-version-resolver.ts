import { createHash } from "node:crypto";
import { Arg, Ctx, FieldResolver, Int, Resolver, Root } from "type-graphql";
import type { Context } from "../context.ts";
import { rate } from "../engine/evaluation/rate.ts";
import { AppError } from "../errors.ts";
import { Artifact } from "../models/artifact.ts";
import { ArtifactFormat } from "../models/artifact-format.ts";
import { ClassPrompt } from "../models/class-prompt.ts";
import { ClassPromptConnection } from "../models/class-prompt-connection.ts";
import { DefenceJob } from "../models/defence-job.ts";
import { Evaluation } from "../models/evaluation.ts";
import type { Job } from "../models/job.ts";
import { Lineage } from "../models/lineage.ts";
import { Model } from "../models/model.ts";
import type { Position } from "../models/position.ts";
import { Probe } from "../models/probe.ts";
import { PromptVersion } from "../models/prompt-version.ts";
import { PurificationJob } from "../models/purification-job.ts";
import { digestOf } from "../services/canonical.ts";
import type { ProbeRecord } from "../services/prompts.ts";
import { pageSize } from "./page-size.ts";
import { make, viewEvaluation, viewJob, viewModel, viewOptionalRate } from "./views.ts";

@Resolver(() => PromptVersion)
export class PromptVersionResolver {
  @FieldResolver(() => Model, { nullable: true, description: "None when the model is no longer registered." })
  async model(@Root() { record }: PromptVersion, @Ctx() { server }: Context): Promise<Model | undefined> {
    const model = await server.models.matching(record);
    return model && viewModel(model, server.serving.isLoaded(model));
  }

  @FieldResolver(() => PurificationJob, {
    nullable: true,
    description: "None for one that was imported, or that `defend` made.",
  })
  async job(@Root() version: PromptVersion, @Ctx() context: Context): Promise<PurificationJob | undefined> {
    const job = await makerOf(version, context);
    return job instanceof PurificationJob ? job : undefined;
  }

  @FieldResolver(() => DefenceJob, { nullable: true, description: "Of one that `defend` made." })
  async defenceJob(@Root() version: PromptVersion, @Ctx() context: Context): Promise<DefenceJob | undefined> {
    const job = await makerOf(version, context);
    return job instanceof DefenceJob ? job : undefined;
  }

  @FieldResolver(() => ClassPromptConnection)
  async classes(
    @Root() { record }: PromptVersion,
    @Arg("first", () => Int, { nullable: true, defaultValue: 100 }) first: number,
    @Arg("after", () => String, { nullable: true }) after: string | undefined,
  ): Promise<ClassPromptConnection> {
    const { labels, contextTokens, position } = record.manifest;
    const start = readCursor(after);
    const shown = labels.slice(start, start + pageSize(first));
    const edges = shown.map((label, index) => ({
      cursor: String(start + index + 1),
      node: make(ClassPrompt, {
        version: record,
        place: start + index,
        label,
        tokens: contextTokens,
        position: position as Position,
      }),
    }));
    return {
      edges,
      totalCount: labels.length,
      pageInfo: {
        hasNextPage: start + shown.length < labels.length,
        hasPreviousPage: start > 0,
        startCursor: edges[0]?.cursor,
        endCursor: edges.at(-1)?.cursor,
      },
    };
  }

  @FieldResolver(() => Probe, {
    nullable: true,
    description:
      "As purified; of an imported version, what its bundle claims. None where nothing was measured, as of prompts from CoOp.",
  })
  probe(@Root() { record }: PromptVersion): Probe | undefined {
    return viewProbe(record.probe);
  }

  @FieldResolver(() => Probe, {
    nullable: true,
    description: "The same images through the undefended templates. None where nothing was measured.",
  })
  undefendedProbe(@Root() { record }: PromptVersion): Probe | undefined {
    return viewProbe(record.undefendedProbe);
  }

  @FieldResolver(() => Boolean, {
    description:
      "Whether it has recovery prompts; it has none where nothing was suspected, or they were not asked for.",
  })
  async recovers(@Root() { record }: PromptVersion, @Ctx() { tenant }: Context): Promise<boolean> {
    return (await tenant.text(record)).recovery !== undefined;
  }

  @FieldResolver(() => [Evaluation], { description: "The newest hundred, newest first." })
  async evaluations(@Root() { record }: PromptVersion, @Ctx() { tenant }: Context): Promise<Evaluation[]> {
    return (await tenant.evaluations.ofVersion(record.id, 100)).map(viewEvaluation);
  }

  @FieldResolver(() => Artifact)
  async artifact(
    @Root() { record }: PromptVersion,
    @Arg("format", () => ArtifactFormat, { nullable: true, defaultValue: ArtifactFormat.SAFETENSORS })
    format: ArtifactFormat,
    @Ctx() { tenant }: Context,
  ): Promise<Artifact> {
    const url = `/artifacts/${record.id}`;
    if (format !== ArtifactFormat.COOP) return { ...record.artifact, url, format: "safetensors" };
    const file = await tenant.artifact(record, "COOP");
    const digest = `sha256:${createHash("sha256").update(file).digest("hex")}`;
    return { url: `${url}?format=coop`, bytes: file.length, digest, format: "pytorch" };
  }

  @FieldResolver(() => Lineage)
  lineage(@Root() { record }: PromptVersion): Lineage {
    const { source, model } = record.manifest;
    const { code, device } = record;
    const made = source.kind === "coop" ? undefined : source;
    return {
      config: digestOf(made?.config ?? source),
      dataset: made?.dataset,
      weights: model.weights,
      code,
      seed: made?.config.seed,
      device,
    };
  }
}

const viewProbe = ({ ca, asr }: ProbeRecord): Probe | undefined =>
  ca.n === 0 ? undefined : { ca: rate(ca), asr: viewOptionalRate(asr) };

async function makerOf({ record }: PromptVersion, { tenant }: Context): Promise<Job | undefined> {
  const job = record.jobId === undefined ? undefined : await tenant.jobs.find(record.jobId);
  return job && viewJob(job);
}

/** A class's place, counted from 1, is its cursor. */
function readCursor(cursor: string | undefined): number {
  if (cursor == null) return 0;
  if (/^[1-9]\d{0,6}$/.test(cursor)) return Number(cursor);
  throw new AppError("BAD_USER_INPUT", "`after` is not a cursor of this list.");
}
