import { DEFAULT_TEMPLATES, fillTemplate } from "../engine/clip/zero-shot.ts";
import { AppError } from "../errors.ts";
import type { Aliases } from "./aliases.ts";
import type { Prompts, VersionRecord } from "./prompts.ts";

/** Which prompts are to answer, as a caller says it. */
export type ThroughChoice =
  | { readonly kind: "alias"; readonly promptSet: string; readonly alias: string }
  | { readonly kind: "version"; readonly id: string }
  | { readonly kind: "templates"; readonly templates: readonly string[] };

export type Through =
  | { readonly kind: "version"; readonly version: VersionRecord }
  | { readonly kind: "templates"; readonly templates: readonly string[] };

const MOST_TEMPLATES = 100;

/** Finds what a tenant's callers mean by their words. */
export class ThroughResolver {
  constructor(
    private readonly prompts: Prompts,
    private readonly aliases: Aliases,
  ) {}

  /** Fails with NOT_FOUND, or with VALIDATION_FAILED for templates that cannot be filled. */
  async resolve(choice: ThroughChoice): Promise<Through> {
    if (choice.kind === "templates")
      return { kind: "templates", templates: this.templates(choice.templates) };
    if (choice.kind === "version")
      return { kind: "version", version: await this.prompts.getVersion(choice.id) };
    const alias = await this.aliases.find(choice.promptSet, choice.alias);
    if (!alias) throw noAlias(choice.promptSet, choice.alias);
    return { kind: "version", version: await this.prompts.getVersion(alias.versionId) };
  }

  /** The `live` alias of the tenant's only prompt set. */
  async standard(): Promise<Through> {
    const sets = await this.prompts.listSets(2);
    if (sets.length === 1) return this.resolve({ kind: "alias", promptSet: sets[0].name, alias: "live" });
    const what = sets.length === 0 ? "no prompt set yet: purify a model" : "several prompt sets: name one";
    throw new AppError("VALIDATION_FAILED", `There is ${what}, or give \`through: { templates: [] }\`.`);
  }

  /** The given templates, checked; the standard ones when there are none. `{label}` is understood as `{}`. */
  templates(given: readonly string[] | undefined): readonly string[] {
    if (!given?.length) return DEFAULT_TEMPLATES;
    if (given.length > MOST_TEMPLATES)
      throw new AppError("VALIDATION_FAILED", `At most ${MOST_TEMPLATES} templates can be averaged.`);
    const templates = given.map((template) => template.replaceAll("{label}", "{}"));
    for (const template of templates) fillTemplate(template, "");
    return templates;
  }
}

const noAlias = (promptSet: string, alias: string): AppError =>
  new AppError(
    "NOT_FOUND",
    `There is no alias "${alias.slice(0, 80)}" in a prompt set "${promptSet.slice(0, 80)}". A successful purification makes \`live\`.`,
    { promptSet: promptSet.slice(0, 80), alias: alias.slice(0, 80) },
  );
