/** Something that is slow to open, and holds memory until it is closed. */
export interface Warm {
  /** When somebody last waited for something of it, as `performance.now()` has it; infinity while somebody does. */
  readonly usedAt: number;
  close(): Promise<void>;
}

interface Held<Thing> {
  readonly idle: NodeJS.Timeout | undefined;
  opening: Promise<Thing>;
  opened?: Thing;
  isRenewing?: boolean;
}

/** One that is let go of is closed when nobody has used it for so long: who was given it last may not have begun. */
const GRACE_MILLISECONDS = 60_000;

/** Opens each thing once, however many ask at the same time, and keeps it as long as it is asked for. */
export class KeepWarm<Thing extends Warm> {
  private readonly held = new Map<string, Held<Thing>>();
  private readonly leaving = new Map<Thing, NodeJS.Timeout>();
  /** Those that nobody is to be given, or not yet. */
  private readonly openings = new Set<Promise<unknown>>();

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
    this.whenOpened(held.opening, (thing) => this.closeLater(thing));
  }

  /**
   * Opens it anew beside the one that is there, which is given until that has succeeded, and stays where it fails. Does
   * nothing where another is there by now, or is being opened.
   */
  renew(key: string, old: Thing, open: () => Promise<Thing>): void {
    const held = this.held.get(key);
    if (held?.opened !== old || held.isRenewing) return;
    held.isRenewing = true;
    const opening = open().finally(() => {
      held.isRenewing = false;
    });
    this.whenOpened(opening, (fresh) => {
      const isWanted = this.held.get(key) === held;
      if (isWanted) Object.assign(held, { opening, opened: fresh });
      this.closeLater(isWanted ? old : fresh);
    });
  }

  async close(): Promise<void> {
    const held = [...this.held.values()];
    this.held.clear();
    for (const { idle } of held) clearTimeout(idle);
    await Promise.allSettled(this.openings);
    const opened = await Promise.allSettled(held.map(({ opening }) => opening));
    const things: Thing[] = opened.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    for (const timer of this.leaving.values()) clearTimeout(timer);
    things.push(...this.leaving.keys());
    this.leaving.clear();
    await Promise.all(things.map((thing) => thing.close()));
  }

  private whenOpened(opening: Promise<Thing>, then: (thing: Thing) => void): void {
    const done = opening.then(then, () => {});
    this.openings.add(done);
    done.finally(() => this.openings.delete(done));
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

  /** What is used, or still being opened, is wanted. */
  private letGo(key: string): void {
    const held = this.held.get(key);
    if (held?.opened && held.opened.usedAt < Number.POSITIVE_INFINITY) this.release(key);
    else held?.idle?.refresh();
  }

  private closeLater(thing: Thing): void {
    const timer = setTimeout(() => {
      if (performance.now() - thing.usedAt < this.graceMilliseconds) return void timer.refresh();
      this.leaving.delete(thing);
      // Nobody waits for it, and nobody could do anything about it.
      thing.close().catch(() => {});
    }, this.graceMilliseconds).unref();
    this.leaving.set(thing, timer);
  }
}
