import { Arg, Authorized, Ctx, Float, ID, Int, Query, Resolver } from "type-graphql";
import type { Context } from "../context.ts";
import { attackNamed, attacks } from "../engine/attacks/index.ts";
import { Attack } from "../models/attack.ts";
import { AttackKind } from "../models/attack-kind.ts";
import { AttackPreview } from "../models/attack-preview.ts";
import { ImageInput } from "../models/image-input.ts";
import { ParameterValues } from "../models/parameter-values.ts";
import { NeedsScope } from "./authorise.ts";
import { requireId } from "./identifiers.ts";
import { imageSource } from "./inputs.ts";
import { viewAttack, viewPreview } from "./views.ts";

@Resolver(() => Attack)
export class AttackResolver {
  @Authorized()
  @Query(() => [Attack], {
    name: "attacks",
    description: "Every attack that models can be evaluated with, with its parameters, ranges and defaults.",
  })
  listAttacks(): Attack[] {
    return Object.keys(attacks).map((name) => viewAttack(attackNamed(name)));
  }

  @NeedsScope("classify")
  @Query(() => AttackPreview, {
    description:
      "What a trigger looks like on an image. Triggers are public and nothing is poisoned, so it needs no ALLOW_ATTACKS. Costs 20.",
    complexity: 20,
  })
  async previewAttack(
    @Arg("kind", () => AttackKind) kind: string,
    @Arg("parameters", () => ParameterValues, { nullable: true }) parameters:
      | Record<string, unknown>
      | undefined,
    @Arg("trigger", () => ID, {
      nullable: true,
      description: "For an attack whose trigger is fitted: the job of implantBackdoor that fitted it.",
    })
    trigger: string | undefined,
    @Arg("image", () => ImageInput) image: ImageInput,
    @Arg("size", () => Int, {
      nullable: true,
      defaultValue: 64,
      description: "Side of the square that the image is resized to and cropped from: 8 to 448 pixels.",
    })
    size: number,
    @Arg("amplification", () => Float, { nullable: true, defaultValue: 5, description: "1 to 100." })
    amplification: number,
    @Ctx() { tenant, uploads }: Context,
  ): Promise<AttackPreview> {
    return viewPreview(
      await tenant.previewAttack({
        kind,
        parameters: parameters ?? {},
        ...(trigger == null ? {} : { trigger: requireId("job", trigger, "trigger") }),
        image: imageSource(image, uploads),
        side: size,
        amplification,
      }),
    );
  }
}
