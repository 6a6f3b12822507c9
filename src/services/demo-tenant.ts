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
  const { datasets } = tenants.open(DEMO_TENANT);
  await unlessThere(
    () => access.tenant(DEMO_TENANT),
    () => access.createTenant(DEMO_TENANT),
  );
  await unlessThere(
    () => datasets.find(DEMO_DATASET),
    async () => {
      const examples = await readShots(folder);
      if (examples.length > 0) await datasets.create(DEMO_DATASET, { kind: "list", examples });
    },
  );
}

/** Another server that starts at the same moment may come first; then making it fails and it is there. */
async function unlessThere(find: () => Promise<unknown>, make: () => Promise<unknown>): Promise<void> {
  if (await find()) return;
  try {
    await make();
  } catch (error) {
    if (!(await find())) throw error;
  }
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
