import { DEFAULT_TEMPLATES, fillTemplate } from "../engine/clip/zero-shot.ts";
import { AppError } from "../errors.ts";
import type { Aliases } from "./aliases.ts";
import { globalId } from "./global-id.ts";
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
/** So many of a set's versions are told to whoever asks for an alias that it does not have. */
const VERSIONS_NAMED = 3;
const LONGEST_TEMPLATE = 200;

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
    if (!alias) throw await this.noAlias(choice.promptSet, choice.alias);
    return { kind: "version", version: await this.prompts.getVersion(alias.versionId) };
  }

  /**
   * The `live` alias of the tenant's only prompt set.
   *
   * @param forTemplates what to give instead, for whoever is told that there is no such set.
   */
  async standard(forTemplates: () => Promise<string>): Promise<Through> {
    const sets = await this.prompts.listSets(2);
    if (sets.length === 1) return this.resolve({ kind: "alias", promptSet: sets[0].name, alias: "live" });
    const what =
      sets.length === 0
        ? "There is no prompt set yet: purify a model"
        : "There are several prompt sets: name one";
    throw new AppError("VALIDATION_FAILED", `${what}, or give ${await forTemplates()}.`);
  }

  /** Tells how the alias can come to be. */
  private async noAlias(promptSet: string, alias: string): Promise<AppError> {
    const named = { promptSet: promptSet.slice(0, 80), alias: alias.slice(0, 80) };
    const missing = `There is no alias "${named.alias}" in a prompt set "${named.promptSet}".`;
    const versions = await this.versionsOf(promptSet);
    const purify = alias === "live" ? " A successful purification makes `live`." : "";
    const hint = versions ? ` The set has ${versions}; \`moveAlias\` puts the alias there.` : purify;
    return new AppError("NOT_FOUND", missing + hint, named);
  }

  /** The ids of a set's newest versions in words; undefined where it has none. */
  private async versionsOf(promptSet: string): Promise<string | undefined> {
    const set = await this.prompts.findSet(promptSet);
    if (!set || set.versions === 0) return undefined;
    const { versions } = await this.prompts.page(promptSet, VERSIONS_NAMED);
    const names = versions.map(({ id, number }) => `${globalId("version", id)} (number ${number})`);
    const others = set.versions - versions.length;
    return names.join(", ") + (others > 0 ? ` and ${others} older` : "");
  }

  /** The given templates, checked; the standard ones when there are none. `{label}` is understood as `{}`. */
  templates(given: readonly string[] | undefined): readonly string[] {
    if (!given?.length) return DEFAULT_TEMPLATES;
    if (given.length > MOST_TEMPLATES)
      throw new AppError("VALIDATION_FAILED", `At most ${MOST_TEMPLATES} templates can be averaged.`);
    if (given.some(({ length }) => length > LONGEST_TEMPLATE))
      throw new AppError("VALIDATION_FAILED", `A template has at most ${LONGEST_TEMPLATE} characters.`);
    const templates = given.map((template) => template.replaceAll("{label}", "{}"));
    for (const template of templates) fillTemplate(template, "");
    return templates;
  }
}
