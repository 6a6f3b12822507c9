import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { parse } from "yaml";
import { readConfig } from "../../src/config.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { DOCKER, readCompose, readText, type Service, VARIABLES } from "./files.ts";

const compose = readCompose();
const services = Object.entries(compose.services);
const own = services.filter(([, { image }]) => image?.startsWith("antidote:"));
const ofCommand = (command: string) => own.filter(([, service]) => service.command?.[0] === command);

test("there are two servers, two workers, a Redis and a proxy", () => {
  expect(ofCommand("serve")).toHaveLength(2);
  expect(ofCommand("worker")).toHaveLength(2);
  expect(own).toHaveLength(4);
  expect(compose.services).toHaveProperty("redis");
  expect(compose.services).toHaveProperty("proxy");
});

test.each(own)("%s has an environment that the program takes", (_, { environment = {} }) => {
  expect(Object.keys(environment).filter((name) => !VARIABLES.has(name))).toEqual([]);
  const given = { ...environment, MODELS_DIR: temporaryFolder(), ADMIN_KEY: "a-key-of-the-test" };
  expect(readConfig(given).redis?.url).toBe("redis://redis:6379");
});

test.each(own)("%s can change nothing but its data", (_, { read_only, volumes = [] }) => {
  expect(read_only).toBe(true);
  // As it is where nobody asks for more.
  const given = volumes.map((volume) => volume.replace(/\$\{\w+:-([^}]*)\}/g, "$1"));
  const writable = given.filter((volume) => !volume.endsWith(":ro"));
  expect(writable).toEqual(["data:/data"]);
  expect(given.some((volume) => volume.endsWith(":/models:ro"))).toBe(true);
});

test("everything that is named is there: volumes, files, services", () => {
  for (const [, service] of services) {
    for (const volume of service.volumes ?? []) {
      const [source] = volume.replace(/^\$\{\w+:-([^}]*)\}/, "$1").split(":");
      if (source.startsWith(".")) expect(existsSync(join(DOCKER, source))).toBe(true);
      else expect(compose.volumes).toHaveProperty(source);
    }
    const needed = service.depends_on ?? [];
    for (const name of Array.isArray(needed) ? needed : Object.keys(needed))
      expect(compose.services).toHaveProperty(name);
    if (service.build)
      expect(existsSync(join(DOCKER, service.build.context, service.build.dockerfile))).toBe(true);
    else expect(service.image).toMatch(/:v?\d+\.\d+/);
  }
});

test("Redis is set up to lose nothing that it has acknowledged", () => {
  const command = compose.services.redis.command?.join(" ") ?? "";
  for (const setting of ["--appendonly yes", "--appendfsync always", "--maxmemory-policy noeviction"])
    expect(command).toContain(setting);
  expect(compose.services.redis.volumes).toEqual(["redis:/data"]);
});

test("ports agree: proxy, servers, probes and what Prometheus reads", () => {
  const addresses = (list: readonly (readonly [string, Service])[], variable: string) =>
    list.map(([name, { environment }]) => `${name}:${environment?.[variable]}`);
  const servers = addresses(ofCommand("serve"), "PORT");
  const workers = addresses(ofCommand("worker"), "METRICS_PORT");
  const proxy = readText("Caddyfile");
  expect(/reverse_proxy (.*) \{/.exec(proxy)?.[1].split(" ")).toEqual(servers);
  const [, port] = /^:(\d+) \{/m.exec(proxy) ?? [];
  expect(compose.services.proxy.ports?.[0].split(":").at(-1)).toBe(port);
  for (const [, worker] of ofCommand("worker"))
    expect(worker.healthcheck?.test.join(" ")).toContain(`:${worker.environment?.METRICS_PORT}/healthz`);
  const { scrape_configs } = parse(readText("prometheus.yml"));
  const targets = scrape_configs.flatMap((job: { static_configs: { targets: string[] }[] }) =>
    job.static_configs.flatMap((one) => one.targets),
  );
  expect(targets).toEqual([...servers, ...workers]);
});

test("whoever is stopped has the time that it takes", () => {
  for (const [, { environment, stop_grace_period }] of [...ofCommand("serve"), ...ofCommand("worker")])
    expect(Number.parseInt(String(stop_grace_period), 10)).toBeGreaterThan(
      Number(environment?.DRAIN_SECONDS ?? 0) + 15,
    );
});
