/** What an entry takes beside its embedding: its key, and its place in two maps. */
const OVERHEAD_BYTES = 256;

/** The embeddings that one tenant's images had, oldest use first. */
interface Shelf {
  readonly embeddings: Map<string, Float32Array>;
  bytes: number;
}

/**
 * Embeddings of images that tenants sent before, bounded in bytes. A tenant finds only what its own requests put
 * there: nobody learns from an answer, or from how soon it came, what others have. When it is full, the tenant that
 * holds most loses what it has not asked for the longest, so that a busy tenant does not push out the others.
 */
export class EmbeddingCache {
  private readonly shelves = new Map<string, Shelf>();
  private bytes = 0;

  /** @param capacity in bytes; 0 keeps nothing. */
  constructor(private readonly capacity: number) {}

  /** @param key of the image's bytes and of all that makes an embedding of them. */
  get(tenant: string, key: string): Float32Array | undefined {
    const embeddings = this.shelves.get(tenant)?.embeddings;
    const found = embeddings?.get(key);
    if (!embeddings || !found) return undefined;
    embeddings.delete(key);
    embeddings.set(key, found);
    return found;
  }

  set(tenant: string, key: string, embedding: Float32Array): void {
    if (this.capacity === 0) return;
    const shelf = this.shelves.get(tenant) ?? { embeddings: new Map(), bytes: 0 };
    this.shelves.set(tenant, shelf);
    this.remove(shelf, key);
    shelf.embeddings.set(key, embedding);
    this.count(shelf, sizeOf(embedding));
    while (this.bytes > this.capacity) this.forgetOldest();
  }

  get usedBytes(): number {
    return this.bytes;
  }

  private forgetOldest(): void {
    const [tenant, shelf] = [...this.shelves].reduce((most, other) =>
      other[1].bytes > most[1].bytes ? other : most,
    );
    for (const oldest of shelf.embeddings.keys()) {
      this.remove(shelf, oldest);
      break;
    }
    if (shelf.embeddings.size === 0) this.shelves.delete(tenant);
  }

  private remove(shelf: Shelf, key: string): void {
    const embedding = shelf.embeddings.get(key);
    if (!embedding) return;
    shelf.embeddings.delete(key);
    this.count(shelf, -sizeOf(embedding));
  }

  private count(shelf: Shelf, bytes: number): void {
    shelf.bytes += bytes;
    this.bytes += bytes;
  }
}

const sizeOf = ({ byteLength }: Float32Array): number => byteLength + OVERHEAD_BYTES;
