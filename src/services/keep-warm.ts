/** Something that is slow to open, and holds memory until it is closed. */
export interface Warm {
  /** Whether somebody waits for something of it. */
  readonly isBusy: boolean;
  close(): Promise<void>;
}

interface Held<Thing> {
  readonly opening: Promise<Thing>;
  readonly idle: NodeJS.Timeout | undefined;
  opened?: Thing;
}

/** One that is let go of is closed when it was busy with nothing for so long: who was given it last may not have begun. */
const GRACE_MILLISECONDS = 60_000;

/** Opens each thing once, however many ask at the same time, and keeps it as long as it is asked for. */
export class KeepWarm<Thing extends Warm> {
  private readonly held = new Map<string, Held<Thing>>();
  private readonly leaving = new Map<Thing, NodeJS.Timeout>();

  /**
   * @param idleMilliseconds what nobody has asked for so long is let go of; undefined keeps everything.
   * @param graceMilliseconds how long a thing that is let go of may still be begun to use.
   */
  constructor(
    private readonly idleMilliseconds: number | undefined,
    private readonly graceMilliseconds = GRACE_MILLISECONDS,
  ) {}

  /** Fails as `open` does, which the next call tries again. */
  get(key: string, open: () => Promise<Thing>): Promise<Thing> {
    const known = this.held.get(key) ?? this.begin(key, open);
    known.idle?.refresh();
    return known.opening;
  }

  /** What is open under the key; nothing while it is being opened. */
  opened(key: string): Thing | undefined {
    return this.held.get(key)?.opened;
  }

  /** Whether it is open, or being opened. */
  has(key: string): boolean {
    return this.held.has(key);
  }

  /** All that are open. */
  all(): Thing[] {
    return [...this.held.values()].flatMap(({ opened }) => opened ?? []);
  }

  /** Whoever asks from now on has it opened anew. What is there is closed once nobody uses it. */
  release(key: string): void {
    const held = this.held.get(key);
    if (!held) return;
    clearTimeout(held.idle);
    this.held.delete(key);
    held.opening.then(
      (thing) => this.closeLater(thing),
      () => {},
    );
  }

  async close(): Promise<void> {
    const held = [...this.held.values()];
    this.held.clear();
    for (const { idle } of held) clearTimeout(idle);
    const opened = await Promise.allSettled(held.map(({ opening }) => opening));
    const things: Thing[] = opened.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    for (const timer of this.leaving.values()) clearTimeout(timer);
    things.push(...this.leaving.keys());
    this.leaving.clear();
    await Promise.all(things.map((thing) => thing.close()));
  }

  private begin(key: string, open: () => Promise<Thing>): Held<Thing> {
    const { idleMilliseconds } = this;
    const idle =
      idleMilliseconds === undefined
        ? undefined
        : setTimeout(() => this.letGo(key), idleMilliseconds).unref();
    const held: Held<Thing> = { opening: open(), idle };
    this.held.set(key, held);
    held.opening.then(
      (thing) => {
        held.opened = thing;
      },
      () => {
        clearTimeout(idle);
        if (this.held.get(key) === held) this.held.delete(key);
      },
    );
    return held;
  }

  /** What is busy, or still being opened, is wanted. */
  private letGo(key: string): void {
    const held = this.held.get(key);
    if (held?.opened?.isBusy === false) this.release(key);
    else held?.idle?.refresh();
  }

  private closeLater(thing: Thing): void {
    const timer = setTimeout(() => {
      if (thing.isBusy) return void timer.refresh();
      this.leaving.delete(thing);
      // Nobody waits for it, and nobody could do anything about it.
      thing.close().catch(() => {});
    }, this.graceMilliseconds).unref();
    this.leaving.set(thing, timer);
  }
}
