import type { Archive, Entry } from "../archive.ts";
import { type Cell, type CellKind, type CellKinds, digestOf } from "../cell.ts";
import type { Lab } from "../lab.ts";

/** A part of the document with the experiments that it rests on. */
export interface Section {
  /** For `--only`. */
  readonly name: string;
  cells(lab: Lab): readonly Cell[];
  /** Nothing where too little is finished to say anything. */
  write(lab: Lab, results: Results): Promise<Chapter | undefined>;
}

export interface Chapter {
  /** Markdown under a heading of the second level. */
  readonly text: string;
  /** SVG by file name; the text refers to them as `figure("name.svg")` says. */
  readonly figures?: Readonly<Record<string, string>>;
}

const FOLDER = "results";

/** Where a chapter's text finds a figure: beside the document, in a folder of its own. */
export const figure = (name: string): string => `${FOLDER}/${name}`;

/** What is finished of some cells. */
export class Results {
  private readonly asked = new Set<Entry>();

  private constructor(
    readonly archive: Archive,
    private readonly entries: ReadonlyMap<string, Entry>,
  ) {}

  static async read(archive: Archive, cells: readonly Cell[]): Promise<Results> {
    const entries = new Map<string, Entry>();
    for (const cell of cells) {
      const entry = await archive.find(cell);
      if (entry !== undefined) entries.set(digestOf(cell), entry);
    }
    return new Results(archive, entries);
  }

  get<Kind extends CellKind>(cell: Cell<Kind>): CellKinds[Kind]["result"] | undefined {
    const entry = this.entries.get(digestOf(cell));
    if (entry !== undefined) this.asked.add(entry);
    return entry?.result as CellKinds[Kind]["result"] | undefined;
  }

  /** The same results, of which it remembers those that are looked at. */
  watched(): Results {
    return new Results(this.archive, this.entries);
  }

  /** Those that `get` gave. */
  get looked(): readonly Entry[] {
    return [...this.asked];
  }

  get all(): readonly Entry[] {
    return [...this.entries.values()];
  }
}
