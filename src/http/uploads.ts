import type { Readable } from "node:stream";
import type { FileUpload } from "graphql-upload-minimal";
import { ImageError } from "../engine/clip/decoding.ts";
import { AppError } from "../errors.ts";

export interface UploadLimits {
  /** Bytes of all files of a request together. */
  readonly uploadBytes: number;
  readonly imageBytes: number;
}

/** Receives the files of one request into memory, and counts them together. */
export class UploadReader {
  private received = 0;

  constructor(private readonly limits: UploadLimits) {}

  /** An image that is too large is received to its end, so that the files after it arrive, and then refused. */
  async image(upload: FileUpload | Promise<FileUpload>): Promise<Uint8Array> {
    const limit = this.limits.imageBytes;
    const { bytes, whole } = await this.receive(upload, limit);
    if (whole) return bytes;
    throw new ImageError("TOO_LARGE", `The image has more than ${limit} bytes. Send a smaller one.`, {
      limit,
    });
  }

  /** Fails with PAYLOAD_TOO_LARGE. */
  async file(upload: FileUpload | Promise<FileUpload>): Promise<Uint8Array> {
    const limit = this.limits.uploadBytes;
    const { bytes, whole } = await this.receive(upload, limit);
    if (!whole) throw tooLarge(limit);
    return bytes;
  }

  /** The bytes of a file that came as text, with or without the prefix of a data URL. Fails with PAYLOAD_TOO_LARGE. */
  fileOfBase64(text: string): Uint8Array {
    const limit = this.limits.uploadBytes;
    const bytes = Buffer.from(text.slice(dataStart(text)), "base64");
    this.received += bytes.length;
    if (this.received > limit) throw tooLarge(limit);
    return bytes;
  }

  /** The bytes of an image that came as text, with or without the prefix of a data URL. */
  base64(text: string): Uint8Array {
    const limit = this.limits.imageBytes;
    const start = dataStart(text);
    // Four characters carry three bytes.
    if ((text.length - start) * 0.75 > limit + 3)
      throw new ImageError("TOO_LARGE", `The image has more than ${limit} bytes. Send a smaller one.`, {
        limit,
      });
    return Buffer.from(text.slice(start), "base64");
  }

  private async receive(
    upload: FileUpload | Promise<FileUpload>,
    limit: number,
  ): Promise<{ bytes: Uint8Array; whole: boolean }> {
    const stream = await opened(upload);
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of whatArrives(stream)) {
      this.received += chunk.length;
      if (this.received > this.limits.uploadBytes) throw tooLarge(this.limits.uploadBytes);
      size += chunk.length;
      if (size <= limit) chunks.push(chunk);
    }
    return { bytes: Buffer.concat(chunks), whole: size <= limit && stream.truncated !== true };
  }
}

/** Where the data of a data URL begin. */
const dataStart = (text: string): number => (text.startsWith("data:") ? text.indexOf(",") + 1 : 0);

type Arriving = Readable & { readonly truncated?: boolean };

async function opened(upload: FileUpload | Promise<FileUpload>): Promise<Arriving> {
  try {
    return (await upload).createReadStream() as Arriving;
  } catch (error) {
    throw brokenOff(error);
  }
}

async function* whatArrives(stream: Readable): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    throw brokenOff(error);
  }
}

/** Errors with a status say themselves whose fault they are; all others are the parser's. */
function brokenOff(error: unknown): unknown {
  if (error instanceof Error && "status" in error) return error;
  const message = "The upload broke off, or its parts cannot be read. Send it again.";
  return new AppError("BAD_USER_INPUT", message, {}, { cause: error });
}

const tooLarge = (limit: number): AppError =>
  new AppError("PAYLOAD_TOO_LARGE", `The files have more than ${limit} bytes together. Send them in parts.`, {
    limit,
  });
