import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { FEW_LABELS, purifyQuickly, startTestServer, ZOO } from "../app/server.ts";
import { readCompose, readText } from "./files.ts";

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly datasource: { readonly uid: string };
  readonly fieldConfig: { readonly defaults: { readonly unit: string } };
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const { panels, uid } = JSON.parse(readText("grafana/dashboards/antidote.json")) as {
  panels: Panel[];
  uid: string;
};
const queries = panels.flatMap(({ title, targets }) =>
  targets.map(({ expr, legendFormat }) => [`${title}: ${legendFormat}`, expr, legendFormat] as const),
);

/** Labels that Prometheus itself adds. */
const ADDED = ["instance", "job"];

const CLASSIFY = `query ($image: String!) {
  classify(input: { modelId: "model_scenes-badnet", images: [{ base64: $image }], topK: 1,
    through: { templates: [] }, labels: ["apple", "house"] }) { model { id } }
}`;

/** The labels of every series that a server exposes once it has answered an image and run a job. */
const series = new Map<string, Set<string>>();

beforeAll(async () => {
  const server = await startTestServer();
  const image = readFileSync(join(ZOO, "shots", FEW_LABELS[0], "00.png")).toString("base64");
  for (let time = 0; time < 2; time++) await server.ask(CLASSIFY, { image });
  await purifyQuickly(server, "observed");
  const text = await (await server.fetch("/metrics")).text();
  for (const [, name, labels = ""] of text.matchAll(/^(\w+)(?:\{([^}]*)\})? \S+$/gm)) {
    const known = series.get(name) ?? new Set();
    for (const [, label] of labels.matchAll(/(\w+)="/g)) known.add(label);
    series.set(name, known);
  }
  await server.close();
});

/** The metrics of a query with the labels that it selects by, and all labels that it groups by. */
function namesIn(expr: string) {
  const metrics = [...expr.matchAll(/\b((?:antidote|nodejs|process)_\w+)(?:\{([^}]*)\})?/g)];
  const selected = metrics.map(([, name, selectors = ""]) => ({
    name,
    labels: [...selectors.matchAll(/(\w+)=~?"/g)].map(([, label]) => label),
  }));
  const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, labels]) => labels.split(/,\s*/));
  return { selected, grouped };
}

describe("the dashboard", () => {
  test.each(queries)("%s asks for what the server exposes", (_, expr, legend) => {
    const { selected, grouped } = namesIn(expr);
    expect(selected.length).toBeGreaterThan(0);
    const shown = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
    for (const { name, labels } of selected) {
      expect([...series.keys()]).toContain(name);
      const known = [...(series.get(name) ?? []), ...ADDED];
      for (const label of [...labels, ...grouped]) expect(known).toContain(label);
      for (const label of shown) expect(known).toContain(label);
    }
    // A sum keeps only what it is grouped by.
    if (/^(60 \* )?(sum|max)\b/.test(expr)) for (const label of shown) expect(grouped).toContain(label);
  });

  test("has a unit and a place of its own for every panel, and Grafana finds it and its data", () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const [source] = parse(readText("grafana/provisioning/datasources/prometheus.yaml")).datasources;
    for (const { datasource, fieldConfig } of panels) {
      expect(datasource.uid).toBe(source.uid);
      expect(fieldConfig.defaults.unit).not.toBe("");
    }
    const { services } = readCompose();
    expect(services).toHaveProperty(new URL(source.url).hostname);
    const [provider] = parse(readText("grafana/provisioning/dashboards/antidote.yaml")).providers;
    expect(services.grafana.volumes).toContain(`./grafana/dashboards:${provider.options.path}:ro`);
    expect(readdirSync(join(__dirname, "../../docker/grafana/dashboards"))).toEqual([`${uid}.json`]);
  });

  test("every metric of our own is on it", () => {
    const all = queries.flatMap(([, expr]) => namesIn(expr).selected.map(({ name }) => name));
    const own = [...series.keys()].filter((name) => name.startsWith("antidote_"));
    const families = new Set(own.map((name) => name.replace(/_(bucket|sum|count)$/, "")));
    const missing = [...families].filter((family) => !all.some((name) => name.startsWith(family)));
    expect(missing).toEqual([]);
  });
});
