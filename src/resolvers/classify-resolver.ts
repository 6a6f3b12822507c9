import { Arg, Ctx, Query, Resolver } from "type-graphql";
import type { Context } from "../context.ts";
import { ClassifyInput } from "../models/classify-input.ts";
import { ClassifyPayload } from "../models/classify-payload.ts";
import type { ImageErrorCode } from "../models/image-error-code.ts";
import type { ImageOutcome } from "../models/image-outcome.ts";
import { ImageRejected } from "../models/image-rejected.ts";
import { Prediction } from "../models/prediction.ts";
import type { ImageAnswer } from "../services/classification.ts";
import { NeedsScope } from "./authorise.ts";
import { requireId } from "./identifiers.ts";
import { imageSource, throughChoice } from "./inputs.ts";
import { make, viewModel, viewVersion } from "./views.ts";

@Resolver()
export class ClassifyResolver {
  @NeedsScope("classify")
  @Query(() => ClassifyPayload, { description: "Classifies images. Costs 10.", complexity: 10 })
  async classify(
    @Arg("input", () => ClassifyInput) input: ClassifyInput,
    @Ctx() { tenant, uploads, server, signal }: Context,
  ): Promise<ClassifyPayload> {
    const { answers, served, model, timing } = await tenant.classification.classify({
      images: input.images.map((image) => imageSource(image, uploads)),
      model: input.modelId == null ? undefined : requireId("model", input.modelId, "input", "modelId"),
      through: input.through ? throughChoice(input.through, "input", "through") : undefined,
      topK: input.topK ?? 5,
      labels: input.labels ?? undefined,
      shadow: input.shadow ? throughChoice(input.shadow, "input", "shadow") : undefined,
      secondLook: input.secondLook ?? true,
      deadlineMs: input.deadlineMs ?? undefined,
      signal,
    });
    return {
      results: answers.map(viewAnswer),
      served: served && viewVersion(served),
      model: viewModel(model, server.serving.isLoaded(model)),
      timing,
    };
  }
}

function viewAnswer(answer: ImageAnswer, index: number): ImageOutcome {
  if (answer.kind === "rejected")
    return make(ImageRejected, { index, code: answer.code as ImageErrorCode, message: answer.message });
  const { labels, margin, shadow, disagreement, suspicion, recovered, view, cached } = answer;
  return make(Prediction, {
    index,
    labels: [...labels],
    margin,
    shadow: shadow && [...shadow],
    disagreement,
    suspicion,
    recovered,
    view,
    cached,
  });
}
