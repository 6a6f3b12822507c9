/** Many digests; each is kept as its 32 bytes, so that it takes little and holds on to no text that it was found in. */
export class DigestSet {
  private readonly known = new Set<string>();

  /** Takes a digest with or without its "sha256:". */
  add(digest: string): void {
    this.known.add(packed(digest));
  }

  has(digest: string): boolean {
    return this.known.has(packed(digest));
  }

  get size(): number {
    return this.known.size;
  }
}

const HEX_DIGITS = 64;

const packed = (digest: string): string => Buffer.from(digest.slice(-HEX_DIGITS), "hex").toString("latin1");
