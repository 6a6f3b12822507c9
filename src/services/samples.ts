import { readdir, readFile } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { isName } from "./names.ts";

/** An image that comes with the server. */
export interface Sample {
  /** The file's name without its extension. */
  readonly id: string;
  readonly name: string;
  readonly bytes: Uint8Array;
}

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".webp": "image/webp",
};

/** The sample images of a folder, read once; they are the same for every tenant. */
export class SampleImages {
  private constructor(private readonly samples: ReadonlyMap<string, Sample>) {}

  /** A folder that does not exist has no samples. */
  static async open(folder: string): Promise<SampleImages> {
    const names = await readdir(folder).catch(() => []);
    const images = names.filter((name) => mediaType(name) !== undefined && isName(name)).sort();
    const samples = await Promise.all(
      images.map(async (name) => ({
        id: basename(name, extname(name)),
        name,
        bytes: await readFile(join(folder, name)),
      })),
    );
    return new SampleImages(new Map(samples.map((sample) => [sample.id, sample])));
  }

  list(): Sample[] {
    return [...this.samples.values()];
  }

  get(id: string): Sample | undefined {
    return this.samples.get(id);
  }
}

/** The media type of an image file's name; undefined for a file of another kind. */
export function mediaType(name: string): string | undefined {
  return MEDIA_TYPES[extname(name).toLowerCase()];
}
