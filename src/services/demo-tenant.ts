import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { AccessService } from "./access.ts";
import type { IncomingExample } from "./datasets.ts";
import { mediaType } from "./samples.ts";
import type { Tenants } from "./tenant.ts";

export const DEMO_TENANT = "demo";
export const DEMO_DATASET = "scenes-shots";

/** Makes the demo tenant with its clean shots (`<folder>/<label>/*.png`), each unless it is there already. */
export async function ensureDemoTenant(
  access: AccessService,
  tenants: Tenants,
  folder: string,
): Promise<void> {
  if (!(await access.tenant(DEMO_TENANT))) await access.createTenant(DEMO_TENANT);
  const { datasets } = tenants.open(DEMO_TENANT);
  if (await datasets.find(DEMO_DATASET)) return;
  const examples = await readShots(folder);
  if (examples.length > 0) await datasets.create(DEMO_DATASET, { kind: "list", examples });
}

async function readShots(folder: string): Promise<IncomingExample[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const labels = entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
  const perLabel = await Promise.all(
    labels.map(async (label) => {
      const files = (await readdir(join(folder, label))).filter((file) => mediaType(file)).sort();
      return files.map((file) => ({
        source: `${label}/${file}`,
        label,
        read: () => readFile(join(folder, label, file)),
      }));
    }),
  );
  return perLabel.flat();
}
