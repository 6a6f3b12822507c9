import { randomUUID } from "node:crypto";
import type { Device } from "../engine/runtime/device.ts";
import type { Store } from "../store/store.ts";
import type { JobLogger } from "./run-options.ts";

/** What a worker tells of itself, as stored under `workers/<id>`. */
interface Presence {
  readonly devices: readonly Device[];
  readonly heardAt: string;
}

const PREFIX = "workers/";
const TELLING_MILLISECONDS = 10_000;
/** Long enough for clocks that differ a little, and for a store that was away for a moment. */
const SILENT_MILLISECONDS = 60_000;
/** Who was silent for so long is forgotten. */
const GONE_MILLISECONDS = 3_600_000;

/** A worker's entry among those that take jobs: what it can compute on, told again and again while it lives. */
export class RosterEntry {
  private readonly key = `${PREFIX}${randomUUID()}`;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly options: {
      readonly store: Pick<Store, "list" | "commit">;
      readonly devices: readonly Device[];
      readonly logger: Pick<JobLogger, "warn">;
      readonly now?: () => Date;
    },
  ) {}

  /** Resolves when it is told of once; later failures are logged and made up for by the next time. */
  async start(): Promise<void> {
    await this.forgetGone();
    await this.tell();
    this.timer = setInterval(() => {
      this.tell().catch((error) =>
        this.options.logger.warn(
          { reason: String(error) },
          "servers could not be told that this worker lives",
        ),
      );
    }, TELLING_MILLISECONDS).unref();
  }

  /** Takes it back in passing: a store that is away does not hold up the end, and silence tells the same. */
  stop(): void {
    clearInterval(this.timer);
    this.options.store.commit([{ kind: "delete", key: this.key }]).catch(() => {});
  }

  private async tell(): Promise<void> {
    const { store, devices, now = () => new Date() } = this.options;
    const value: Presence = { devices, heardAt: now().toISOString() };
    await store.commit([{ kind: "put", key: this.key, value }]);
  }

  private async forgetGone(): Promise<void> {
    const { store, now = () => new Date() } = this.options;
    const gone = (await store.list<Presence>(PREFIX)).filter(
      ({ value }) => silence(value, now()) > GONE_MILLISECONDS,
    );
    await store.commit(gone.map(({ key, revision }) => ({ kind: "delete", key, expected: revision })));
  }
}

/** What the workers that were heard of lately can compute on. */
export async function devicesOfWorkers(
  store: Pick<Store, "list">,
  now = new Date(),
): Promise<ReadonlySet<Device>> {
  const known = await store.list<Presence>(PREFIX);
  const alive = known.filter(({ value }) => silence(value, now) <= SILENT_MILLISECONDS);
  return new Set(alive.flatMap(({ value }) => value.devices));
}

const silence = ({ heardAt }: Presence, now: Date): number => now.getTime() - new Date(heardAt).getTime();
