/** Who waits for which stream. */
export class Watchers {
  private readonly callbacks = new Map<string, Set<() => void>>();

  /** Calls back at each ring of the stream, until the returned function is called. */
  add(stream: string, onAppend: () => void): () => void {
    const callbacks = this.callbacks.get(stream) ?? new Set();
    this.callbacks.set(stream, callbacks);
    // Two watchers may pass the same function, so each has a wrapper of its own.
    const callback = () => onAppend();
    callbacks.add(callback);
    return () => {
      callbacks.delete(callback);
      if (callbacks.size === 0 && this.callbacks.get(stream) === callbacks) this.callbacks.delete(stream);
    };
  }

  ring(stream: string): void {
    for (const callback of [...(this.callbacks.get(stream) ?? [])]) callback();
  }

  ringAll(): void {
    for (const stream of [...this.callbacks.keys()]) this.ring(stream);
  }

  clear(): void {
    this.callbacks.clear();
  }
}
