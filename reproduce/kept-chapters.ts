import { readFile } from "node:fs/promises";

/** A chapter as it stands in a document, with what tells whether another may take its place. */
export interface StandingChapter {
  /** What its numbers are counted by: those of another protocol or size do not go together. */
  readonly rules: string;
  /** How many finished experiments it rests on. */
  readonly experiments: number;
  /** Markdown, without the marks around it. */
  readonly text: string;
}

const MARKED = /<!-- chapter (\S+), (.+?), (\d+) experiments -->\n([\s\S]*?)\n<!-- end of \1 -->/g;

/** The chapters of a document by the names of their sections; none where there is no document. */
export async function standingChapters(path: string): Promise<ReadonlyMap<string, StandingChapter>> {
  const text = await readFile(path, "utf8").catch(() => "");
  return new Map(
    [...text.matchAll(MARKED)].map(([, name, rules, experiments, chapter]) => [
      name,
      { rules, experiments: Number(experiments), text: chapter },
    ]),
  );
}

/** A chapter between marks that say what it is; they do not show. */
export const marked = (name: string, { rules, experiments, text }: StandingChapter): string =>
  `<!-- chapter ${name}, ${rules}, ${experiments} experiments -->\n${text}\n<!-- end of ${name} -->`;
