import { Arg, Ctx, FieldResolver, Float, Int, Resolver, Root } from "type-graphql";
import type { Context } from "../context.ts";
import type { WordMetric as WordMetricName } from "../engine/cbpt/nearest-words.ts";
import { AppError } from "../errors.ts";
import { ClassPrompt } from "../models/class-prompt.ts";
import { NearWord } from "../models/near-word.ts";
import { WordMetric } from "../models/word-metric.ts";
import { MOST_WORDS } from "../services/readable-prompts.ts";

@Resolver(() => ClassPrompt)
export class ClassPromptResolver {
  @FieldResolver(() => Float, {
    description: "Cosine distance of its text embedding from that of the undefended templates, 0 to 2.",
  })
  async shift(@Root() { version, place }: ClassPrompt, @Ctx() { tenant }: Context): Promise<number> {
    return (await tenant.readable.meaningsOf(version))[place].shift;
  }

  @FieldResolver(() => Int, {
    description:
      "Place of its own undefended text embedding among those of all classes, by similarity to its purified one. 1: it still means its class most of all.",
  })
  async rank(@Root() { version, place }: ClassPrompt, @Ctx() { tenant }: Context): Promise<number> {
    return (await tenant.readable.meaningsOf(version))[place].rank;
  }

  @FieldResolver(() => String, {
    description: "The class whose undefended text embedding is the most similar.",
  })
  async nearestLabel(@Root() { version, place }: ClassPrompt, @Ctx() { tenant }: Context): Promise<string> {
    return (await tenant.readable.meaningsOf(version))[place].nearestLabel;
  }

  @FieldResolver(() => [[NearWord]], {
    description:
      "The words of the model's vocabulary nearest to each context vector, nearest first. Costs 5.",
    complexity: ({ childComplexity }) => 5 + childComplexity,
  })
  async nearestWords(
    @Root() { version, place }: ClassPrompt,
    @Arg("perToken", () => Int, { nullable: true, defaultValue: 3, description: "1 to 10." })
    perToken: number,
    @Arg("by", () => WordMetric, { nullable: true, defaultValue: "COSINE" }) by: WordMetricName,
    @Ctx() { tenant }: Context,
  ): Promise<NearWord[][]> {
    if (perToken < 1 || perToken > MOST_WORDS)
      throw new AppError("BAD_USER_INPUT", `\`perToken\` must be a number from 1 to ${MOST_WORDS}.`);
    const words = await tenant.readable.wordsOf(version, place, by);
    return words.map((near) => near.slice(0, perToken));
  }
}
