import { monitorEventLoopDelay } from "node:perf_hooks";
import { Gauge, type Registry } from "prom-client";

/** A timer of so many milliseconds is watched; what it comes later is the delay. */
const RESOLUTION = 5;
const QUANTILES = [0.5, 0.9, 0.99, 1];

/** How long the event loop kept what was due waiting, since the last reading: the sign of work that blocks it. */
export function registerEventLoopDelay(registry: Registry): void {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION });
  delays.enable();
  new Gauge({
    name: "antidote_event_loop_delay_seconds",
    help: "By how much the event loop was late since the last reading, by quantile; 1 is the longest.",
    labelNames: ["quantile"] as const,
    registers: [registry],
    collect() {
      for (const quantile of QUANTILES) {
        const milliseconds = delays.count === 0 ? 0 : delays.percentile(100 * quantile) / 1e6 - RESOLUTION;
        this.set({ quantile }, Math.max(0, milliseconds) / 1000);
      }
      delays.reset();
    },
  });
}
