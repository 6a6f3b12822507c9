import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { Metrics } from "../../src/http/metrics.ts";
import { DOCKER, type Manifest, readManifests, readText, VARIABLES } from "./files.ts";

const manifests = readManifests();
const ofKind = (kind: string): Manifest[] => manifests.filter((one) => one.kind === kind);
const deployments = ofKind("Deployment").map((one) => [one.metadata.name, one] as const);
const settings = ofKind("ConfigMap")[0];
/** What the manifests tell operators to put into the secret. */
const SECRET = ["REDIS_URL", "ADMIN_KEY", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"];
const PROBED = ["/healthz", "/readyz"];

test("the kustomization names every file, and there are servers, workers and workers with GPUs", () => {
  const files = readdirSync(join(DOCKER, "kubernetes")).filter((file) => file !== "kustomization.yaml");
  expect([...ofKind("Kustomization")[0].resources].sort()).toEqual(files.sort());
  expect(deployments.map(([name]) => name).sort()).toEqual([
    "antidote-gpu-worker",
    "antidote-server",
    "antidote-worker",
  ]);
});

test("settings are variables of the program, and no secret is among them", () => {
  const names = Object.keys(settings.data);
  expect(names.filter((name) => !VARIABLES.has(name))).toEqual([]);
  expect(names.filter((name) => SECRET.includes(name))).toEqual([]);
});

describe.each(deployments)("%s", (name, { spec }) => {
  const pod = spec.template.spec;
  const [container] = pod.containers;
  const port = container.ports[0];

  test("selects its own pods", () => {
    expect(spec.template.metadata.labels).toMatchObject(spec.selector.matchLabels);
    const others = deployments
      .filter(([other]) => other !== name)
      .map(([, { spec }]) => spec.selector.matchLabels);
    for (const labels of others) expect(labels).not.toEqual(spec.selector.matchLabels);
  });

  test("runs a command of the program, with its variables; secrets only by reference", () => {
    expect(container.args).toEqual([name.includes("worker") ? "worker" : "serve"]);
    for (const { name: variable, value, valueFrom } of container.env) {
      expect(VARIABLES.has(variable)).toBe(true);
      if (!SECRET.includes(variable)) expect(typeof value).toBe("string");
      else expect(valueFrom.secretKeyRef).toEqual({ name: "antidote", key: variable });
    }
    expect(container.envFrom).toEqual([{ configMapRef: { name: settings.metadata.name } }]);
  });

  test("is probed where it answers", () => {
    const variable = container.args[0] === "serve" ? "PORT" : "METRICS_PORT";
    const given = container.env.find((one: Manifest) => one.name === variable);
    expect(String(port.containerPort)).toBe(given.value);
    for (const kind of ["startupProbe", "livenessProbe", "readinessProbe"]) {
      expect(PROBED).toContain(container[kind].httpGet.path);
      expect(container[kind].httpGet.port).toBe(port.name);
    }
    expect(container.livenessProbe.httpGet.path).toBe("/healthz");
    expect(container.readinessProbe.httpGet.path).toBe("/readyz");
    expect(spec.template.metadata.annotations["prometheus.io/port"]).toBe(given.value);
  });

  test("may do nothing that it need not", () => {
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 });
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    expect(container.image).toMatch(/^antidote:(cpu|cuda)$/);
    const mounted = container.volumeMounts.map((one: Manifest) => one.name);
    expect(pod.volumes.map((one: Manifest) => one.name)).toEqual(mounted);
    expect(container.volumeMounts.map((one: Manifest) => one.mountPath)).toContain(settings.data.DATA_DIR);
  });

  test("has bounds, a budget of disruptions, and is scaled by what waits", () => {
    expect(container.resources.limits.memory).toBeDefined();
    const budget = ofKind("PodDisruptionBudget").find((one) => one.metadata.name === name);
    expect(budget.spec.selector).toEqual(spec.selector);
    const scaler = ofKind("HorizontalPodAutoscaler").find((one) => one.metadata.name === name);
    expect(scaler.spec.scaleTargetRef).toEqual({ apiVersion: "apps/v1", kind: "Deployment", name });
    expect(scaler.spec.minReplicas).toBe(spec.replicas);
    const drain = container.env.find((one: Manifest) => one.name === "DRAIN_SECONDS")?.value ?? 0;
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(Number(drain) + 15);
  });
});

describe("the rules for the adapter of Prometheus", () => {
  const { rules } = parse(readText("prometheus-adapter.yaml"));
  const scaled = ofKind("HorizontalPodAutoscaler").flatMap(({ spec }) => spec.metrics);
  const named = (type: string) =>
    scaled.flatMap((one: Manifest) => one[type.toLowerCase()]?.metric?.name ?? []);
  const ruleFor = (list: Manifest[], name: string) => list.find((rule) => rule.name.as === name);
  const none = { jobs: async () => ({}), images: async () => ({}), eventStreams: async () => ({}) };
  const { registry } = new Metrics({ ...none, deliveries: () => 0 });

  test("make every metric that something is scaled by, of one that servers tell", () => {
    expect(new Set(named("External"))).toEqual(new Set(["antidote_unfinished_jobs"]));
    expect(named("Pods")).toEqual(["antidote_waiting_images"]);
    for (const [list, type] of [
      [rules.external, "External"],
      [rules.custom, "Pods"],
    ] as const)
      for (const name of named(type)) {
        const { seriesQuery, metricsQuery } = ruleFor(list, name);
        expect(registry.getSingleMetric(seriesQuery)).toBeDefined();
        expect(metricsQuery).toContain(`${seriesQuery}{<<.LabelMatchers>>`);
      }
  });

  test("count running jobs too, and once for however many servers tell them", () => {
    const { metricsQuery } = ruleFor(rules.external, "antidote_unfinished_jobs");
    expect(metricsQuery).toMatch(/^sum\(max by \(state\) \(.*state=~"waiting\|running"\}\)\)$/);
    for (const metric of scaled.filter(({ type }: Manifest) => type === "External"))
      expect(metric.external.metric.selector).toBeUndefined();
  });
});

test.each(deployments.filter(([name]) => name.includes("worker")))(
  "%s has a place for the models that jobs make",
  (_, { spec }) => {
    const pod = spec.template.spec;
    const [container] = pod.containers;
    const { value } = container.env.find((one: Manifest) => one.name === "MODELS_DIR");
    const mount = container.volumeMounts.find((one: Manifest) => one.mountPath === value);
    expect(mount.readOnly).toBeUndefined();
    expect(pod.volumes.find((one: Manifest) => one.name === mount.name).emptyDir).toBeDefined();
    // The bucket's cache has a folder of its own for models.
    expect(value.startsWith(settings.data.DATA_DIR)).toBe(false);
  },
);

test("servers mount the claim for models, and may not write to it", () => {
  const { spec } = deployments.find(([name]) => name === "antidote-server")![1];
  const pod = spec.template.spec;
  const [container] = pod.containers;
  const { value } = container.env.find((one: Manifest) => one.name === "MODELS_DIR");
  const mount = container.volumeMounts.find((one: Manifest) => one.mountPath === value);
  expect(mount.readOnly).toBe(true);
  const [claim] = ofKind("PersistentVolumeClaim");
  expect(pod.volumes.find((one: Manifest) => one.name === mount.name).persistentVolumeClaim).toEqual({
    claimName: claim.metadata.name,
    readOnly: true,
  });
  // As many servers as there are mount it, on as many nodes.
  expect(claim.spec.accessModes).toEqual(["ReadWriteMany"]);
  expect(value.startsWith(settings.data.DATA_DIR)).toBe(false);
});

test("workers with GPUs ask for one, and go where they are", () => {
  const { spec } = deployments.find(([name]) => name === "antidote-gpu-worker")![1];
  const pod = spec.template.spec;
  expect(pod.containers[0].image).toBe("antidote:cuda");
  expect(pod.containers[0].resources.limits["nvidia.com/gpu"]).toBe(1);
  expect(pod.nodeSelector).toBeDefined();
  expect(pod.tolerations).toMatchObject([{ key: "nvidia.com/gpu", effect: "NoSchedule" }]);
});

test("the service leads to the servers' port", () => {
  const { spec } = ofKind("Service")[0];
  const server = deployments.find(([name]) => name === "antidote-server")![1].spec;
  expect(server.template.metadata.labels).toMatchObject(spec.selector);
  expect(spec.ports[0].targetPort).toBe(server.template.spec.containers[0].ports[0].name);
});
