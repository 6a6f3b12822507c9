import { type Config, packageVersion } from "../config.ts";
import { type StopTracing, startTracing } from "../telemetry/tracing.ts";

/** Sends traces where the configuration says, if it does. */
export const trace = ({ tracesEndpoint: endpoint }: Config, service: string): Promise<StopTracing> =>
  startTracing({ endpoint, service, version: packageVersion() });
