import type { ImageInput } from "./schema.ts";

/** Encoded JPEG, PNG or WebP: its bytes, a file by its path (in Node), base64, or one of the server's samples. */
export type ImageSource =
  | Uint8Array
  | Blob
  | { readonly path: string }
  | { readonly base64: string }
  | { readonly assetId: string };

/** Bytes to upload, or a file by its path (in Node). */
export type FileSource = Uint8Array | Blob | { readonly path: string };

/** The files of a multipart request, each with the variable that it takes the place of. */
export class Files {
  private readonly files: { readonly place: string; readonly blob: Blob }[] = [];

  /** What stands for an image among the variables, at this place of theirs. */
  async image(source: ImageSource, place: string): Promise<ImageInput> {
    if ("base64" in source || "assetId" in source) return source;
    return { upload: await this.file(source, `${place}.upload`) };
  }

  /** `null`, as the specification of multipart requests has it for a variable that is a file. */
  async file(source: FileSource, place: string): Promise<null> {
    this.files.push({ place, blob: await toBlob(source) });
    return null;
  }

  /** The request's body: JSON, or with files a form. */
  body(operation: object): { readonly body: string | FormData; readonly headers: Record<string, string> } {
    if (this.files.length === 0)
      return { body: JSON.stringify(operation), headers: { "content-type": "application/json" } };
    const form = new FormData();
    form.set("operations", JSON.stringify(operation));
    const map = this.files.map(({ place }, index) => [index, [`variables.${place}`]]);
    form.set("map", JSON.stringify(Object.fromEntries(map)));
    for (const [index, { blob }] of this.files.entries()) form.set(String(index), blob, `file-${index}`);
    return { body: form, headers: {} };
  }
}

async function toBlob(source: FileSource): Promise<Blob> {
  if (source instanceof Blob) return source;
  if (source instanceof Uint8Array) return new Blob([source as Uint8Array<ArrayBuffer>]);
  const { readFile } = await import("node:fs/promises");
  return new Blob([new Uint8Array(await readFile(source.path))]);
}
