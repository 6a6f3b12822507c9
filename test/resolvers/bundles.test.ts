import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import sharp from "sharp";
import { arraysOf, TENSORS } from "../../src/engine/cbpt/prompt-tensors.ts";
import { encodeSafetensors, parseSafetensors } from "../../src/engine/clip/safetensors.ts";
import { tensorsDigest } from "../../src/services/bundles/bundle.ts";
import { canonicalJson } from "../../src/services/canonical.ts";
import {
  ADMIN_KEY,
  type Answer,
  type Call,
  type Client,
  FEW_LABELS,
  purifyQuickly,
  startTestServer,
  type TestServer,
  ZOO,
} from "../app/server.ts";

const COOP = join(__dirname, "../fixtures/coop");
const IMPORT = `mutation ($input: ImportPromptsInput!) {
  importPrompts(input: $input) {
    isNew
    version { id digest number importedBy labels job { id } model { name } probe { ca { k n } } undefendedProbe { ca { n } } lineage { seed dataset }
      classes { edges { node { label tokens position shift } } } }
    userErrors { code message path }
  }
}`;

let server: TestServer;
let stranger: string;
let versionId: string;
let bundle: Buffer;

beforeAll(async () => {
  server = await startTestServer();
  stranger = await server.tenant("stranger", ["CLASSIFY", "PROMPTS_WRITE"]);
  versionId = await purifyQuickly(server, "mine");
  bundle = await download(server, `/artifacts/${versionId.replace("version_", "")}`);
});

async function download(client: Client, path: string): Promise<Buffer> {
  const response = await client.fetch(path, { headers: { authorization: `Bearer ${ADMIN_KEY}` } });
  expect(response.status).toBe(200);
  return Buffer.from(await response.arrayBuffer());
}

async function importPrompts(file: Uint8Array, more = {}, call: Call = {}, client: Client = server) {
  const base64 = Buffer.from(file).toString("base64");
  const input = { bundle: { base64 }, promptSet: "theirs", modelId: "model_scenes-badnet", ...more };
  return importOf(await client.ask(IMPORT, { input }, call));
}

function importOf({ data, errors }: Answer) {
  expect(errors).toBeUndefined();
  return data.importPrompts;
}

/** The bundle's parts, to be put together again with something changed. */
function partsOf(file: Buffer) {
  const { tensors, metadata } = parseSafetensors(file, "bundle");
  const floats = (name: string) => {
    const { offset, length } = tensors.get(name)!;
    return new Float32Array(Uint8Array.from(file.subarray(offset, offset + length)).buffer);
  };
  const recovery = tensors.has(TENSORS.recoveryContexts)
    ? {
        contexts: floats(TENSORS.recoveryContexts),
        features: floats(TENSORS.recoveryFeatures),
      }
    : undefined;
  return {
    manifest: JSON.parse(metadata.manifest),
    evidence: JSON.parse(metadata.evidence ?? "null"),
    classes: 3,
    contextTokens: 4,
    contexts: floats(TENSORS.contexts),
    features: floats(TENSORS.features),
    recovery,
    suspected: tensors.has(TENSORS.suspected) ? floats(TENSORS.suspected) : undefined,
  };
}
type Parts = ReturnType<typeof partsOf>;

const joinedParts = ({ manifest, evidence, ...learned }: Parts): Uint8Array =>
  encodeSafetensors(arraysOf(learned), {
    manifest: canonicalJson(manifest),
    evidence: canonicalJson(evidence),
  });

/** Recovery prompts that follow from their contexts, as an attacker or another program may have made them. */
const recovering = (parts: Parts): void =>
  void Object.assign(parts, { recovery: { contexts: parts.contexts, features: parts.features } });

/** Of a label, as an audit would have suspected it. */
const suspecting =
  (label: string) =>
  (parts: Parts): void =>
    void Object.assign(parts, { suspected: Float32Array.from(FEW_LABELS, (one) => (one === label ? 1 : 0)) });

/** The same prompts again and again, for other labels. */
const ofSoManyLabels =
  (count: number) =>
  (parts: Parts): void => {
    const rows = (values: Float32Array) =>
      Float32Array.from(
        { length: (count * values.length) / FEW_LABELS.length },
        (_, index) => values[index % values.length],
      );
    Object.assign(parts.manifest, { labels: Array.from({ length: count }, (_, label) => `label ${label}`) });
    Object.assign(parts, { classes: count, contexts: rows(parts.contexts), features: rows(parts.features) });
  };

/** As somebody would who knows how the tensors' digest is made. */
function resealed(change: (parts: Parts) => void): Uint8Array {
  const parts = partsOf(bundle);
  change(parts);
  parts.manifest.tensors = tensorsDigest(parts);
  return joinedParts(parts);
}

describe("a bundle", () => {
  test("says what it is and what was measured of it", () => {
    const { manifest, evidence } = partsOf(bundle);
    expect(manifest).toMatchObject({
      format: "antidote-prompts-2",
      model: { name: "scenes-badnet", weights: expect.stringMatching(/^sha256:/) },
      tokenizer: expect.stringMatching(/^sha256:/),
      contextLength: 24,
      contextTokens: 4,
      position: "END",
      labels: FEW_LABELS,
      source: { kind: "cbpt", shots: 2, config: { seed: 1 } },
    });
    expect(manifest).not.toHaveProperty("promptSet");
    expect(evidence).toMatchObject({ probe: { ca: { n: 6 } }, gate: { passed: true }, device: "cpu" });
    expect(Buffer.from(joinedParts(partsOf(bundle))).equals(bundle)).toBe(true);
  });

  test("of one tenant is another's version, with the same digest and the same bytes", async () => {
    const { isNew, version, userErrors } = await importPrompts(bundle, {}, { key: stranger });
    expect(userErrors).toEqual([]);
    expect(isNew).toBe(true);
    expect(version).toMatchObject({
      id: versionId,
      number: 1,
      importedBy: "test",
      job: null,
      labels: FEW_LABELS,
      model: { name: "scenes-badnet" },
      lineage: { seed: 1 },
    });
    const headers = { authorization: `Bearer ${stranger}` };
    const again = await server.fetch(`/artifacts/${versionId.replace("version_", "")}`, { headers });
    expect(Buffer.from(await again.arrayBuffer()).equals(bundle)).toBe(true);
    const { data } = await server.ask(
      `{ promptSet(name: "theirs") { aliases { name } versions { totalCount } } }`,
      {},
      { key: stranger },
    );
    expect(data.promptSet).toEqual({ aliases: [], versions: { totalCount: 1 } });
  });

  test("is fetched by the version's id with and without what ids begin with; an unknown one is told as such an id", async () => {
    expect((await download(server, `/artifacts/${versionId}`)).equals(bundle)).toBe(true);
    for (const path of ["/artifacts/version_nothing", "/artifacts/nothing"]) {
      const response = await server.fetch(path, { headers: { authorization: `Bearer ${ADMIN_KEY}` } });
      expect(response.status).toBe(404);
      const { errors } = (await response.json()) as Answer;
      expect(errors?.[0].extensions).toMatchObject({ code: "NOT_FOUND", id: "version_nothing" });
    }
  });

  test("moves no alias when it is taken in; whoever asks for one is told which versions it may be moved to", async () => {
    expect((await importPrompts(bundle, { promptSet: "shelf" })).userErrors).toEqual([]);
    const classify = `query ($ref: AliasRef!) {
      classify(input: { images: [{ assetId: "asset_cat" }], through: { alias: $ref } }) { served { id } }
    }`;
    const ask = (alias: string, promptSet = "shelf") => server.ask(classify, { ref: { promptSet, alias } });
    for (const alias of ["live", "canary"]) {
      const { errors } = await ask(alias);
      expect(errors?.[0].extensions.code).toBe("NOT_FOUND");
      expect(errors?.[0].message).toBe(
        `There is no alias "${alias}" in a prompt set "shelf". The set has ${versionId} (number 1); \`moveAlias\` puts the alias there.`,
      );
    }
    expect((await ask("live", "nowhere")).errors?.[0].message).toContain("purification makes `live`");
    expect((await ask("canary", "nowhere")).errors?.[0].message).not.toContain("purification");
    const move = `mutation ($to: ID!) { moveAlias(ref: { promptSet: "shelf" }, to: $to) { userErrors { code } } }`;
    expect((await server.ask(move, { to: versionId })).data.moveAlias.userErrors).toEqual([]);
    expect((await ask("live")).data.classify.served).toEqual({ id: versionId });
  });

  test("comes back as the version that it was, in any prompt set and once in each", async () => {
    expect(await importPrompts(bundle, { promptSet: "mine" })).toMatchObject({
      isNew: false,
      version: { id: versionId, importedBy: null },
    });
    expect(await importPrompts(bundle, { promptSet: "copies" })).toMatchObject({ isNew: true });
    expect(await importPrompts(bundle, { promptSet: "copies" })).toMatchObject({ isNew: false });
    const { data } = await server.ask(
      `mutation ($to: ID!) {
        moved: moveAlias(ref: { promptSet: "copies" }, to: $to) { alias { version { id } } userErrors { code } }
        elsewhere: moveAlias(ref: { promptSet: "nowhere" }, to: $to) { userErrors { code } }
      }`,
      { to: versionId },
    );
    expect(data.moved).toEqual({ alias: { version: { id: versionId } }, userErrors: [] });
    expect(data.elsewhere.userErrors).toEqual([{ code: "VALIDATION_FAILED" }]);
  });

  test("of one server is another's, and answers there as it did", async () => {
    const other = await startTestServer();
    const input = { bundle: { upload: null }, promptSet: "mine", modelId: "model_scenes-badnet" };
    const response = await other.upload(IMPORT, { input }, { "input.bundle.upload": bundle });
    const { version } = importOf((await response.json()) as Answer);
    expect(version.id).toBe(versionId);
    const classify = `query ($id: ID!) { classify(input: { images: [{ assetId: "asset_cat" }], through: { versionId: $id } }) {
      results { ... on Prediction { labels { label probability } } } } }`;
    const [here, there] = await Promise.all(
      [server, other].map((one) => one.ask(classify, { id: versionId })),
    );
    expect(there.data).toEqual(here.data);
    await other.close();
  });

  test("for another model is refused with both digests", async () => {
    const { version, userErrors } = await importPrompts(bundle, { modelId: "model_scenes-clean" });
    expect(version).toBeNull();
    expect(userErrors[0].code).toBe("INCOMPATIBLE_MODEL");
    const { data } = await server.ask(`{ models { weights } }`);
    for (const { weights } of data.models) expect(userErrors[0].message).toContain(weights);
  });

  const damages: [string, () => Uint8Array, string][] = [
    ["is nothing", () => Buffer.alloc(0), "cannot be read"],
    ["is cut", () => bundle.subarray(0, bundle.length - 4), "truncated"],
    ["is longer than it says", () => Buffer.concat([bundle, Buffer.alloc(8)]), "after its last tensor"],
    ["has a bit changed", () => flipped(bundle, bundle.length - 3), "not those that its manifest names"],
    ["has no manifest", () => encodeSafetensors([]), "no manifest"],
    [
      "has fewer labels than rows",
      () => resealed(({ manifest }) => void manifest.labels.pop()),
      "one row for each label",
    ],
    [
      "has a label twice",
      () => resealed(({ manifest }) => void manifest.labels.fill("cat")),
      "a label twice",
    ],
    [
      "has a number that is none",
      () => resealed(({ contexts }) => void contexts.fill(Number.NaN, 5, 6)),
      "at 5 that is not a finite number",
    ],
    [
      "has text features of its own making",
      () => resealed(({ features }) => void features.subarray(0, 128).reverse()),
      'text feature of "apple" does not follow',
    ],
    [
      "has recovery prompts of its own making",
      () =>
        resealed((parts) => {
          recovering(parts);
          parts.recovery!.features = parts.features.slice();
          parts.recovery!.features.subarray(0, 128).reverse();
        }),
      'text feature of "apple" does not follow',
    ],
    [
      "has recovery prompts of another width",
      () =>
        resealed((parts) => {
          recovering(parts);
          parts.recovery!.features = parts.features.slice(0, 96);
        }),
      "not the widths of the others",
    ],
    [
      "has its labels swapped",
      () => resealed(({ manifest }) => void manifest.labels.reverse()),
      "whose tokens of the labels",
    ],
    [
      "knows more than this version",
      () => resealed(({ manifest }) => Object.assign(manifest, { code: "x" })),
      "manifest is not valid",
    ],
    [
      "is of a later format",
      () => resealed(({ manifest }) => Object.assign(manifest, { format: "antidote-prompts-3" })),
      "format",
    ],
    [
      "has incomplete parameters",
      () => resealed(({ manifest }) => void delete manifest.source.config.alpha),
      "complete set of valid parameters",
    ],
    [
      "claims more hits than images",
      () => resealed(({ evidence }) => Object.assign(evidence.probe.ca, { k: 7 })),
      "counts more than there are",
    ],
  ];

  describe("with recovery prompts", () => {
    const images = ["cat", "cat-triggered", "boat-triggered", "house-triggered"];
    const ask = async (input: object) => {
      const { data } = await server.ask(
        `query ($input: ClassifyInput!) {
          classify(input: $input) { results { ... on Prediction { recovered view disagreement labels { label probability } } } }
        }`,
        { input },
      );
      return data.classify.results;
    };
    const recoversOf = async (id: string) =>
      (await server.ask("query ($id: ID!) { node(id: $id) { ... on PromptVersion { recovers } } }", { id }))
        .data.node.recovers;

    test("is taken in, and they answer what the other two sets disagree on", async () => {
      const { version } = await importPrompts(resealed(recovering), { promptSet: "recovering" });
      const input = { images: images.map((name) => ({ assetId: `asset_${name}` })), secondLook: false };
      const results = await ask({ ...input, through: { versionId: version.id } });
      expect(await recoversOf(version.id)).toBe(true);
      for (const { recovered, disagreement } of results) expect(recovered).toBe(disagreement);
      expect(results.some(({ recovered }: { recovered: boolean }) => recovered)).toBe(true);
      expect(await recoversOf(versionId)).toBe(false);
      for (const { recovered } of await ask({ ...input, through: { versionId } }))
        expect(recovered).toBe(false);
    });

    test("has an image answered that they would answer by a view that nothing is wrong with", async () => {
      const { version } = await importPrompts(resealed(recovering), { promptSet: "looking" });
      const through = { versionId: version.id };
      const given = images.map((name) => ({ assetId: `asset_${name}` }));
      const once = await ask({ images: given, through, secondLook: false });
      const again = await ask({ images: given, through });
      expect(again.some(({ view }: { view: string | null }) => view === "MIRRORED")).toBe(true);
      for (const [index, { recovered, view, labels }] of again.entries()) {
        expect(recovered).toBe(once[index].recovered);
        if (!recovered) expect(view).toBeNull();
        if (view === null) expect(labels).toEqual(once[index].labels);
        if (view !== "MIRRORED") continue;
        const file = await sharp(join(ZOO, "samples", `${images[index]}.png`))
          .flop()
          .png()
          .toBuffer();
        const [mirrored] = await ask({ images: [{ base64: file.toString("base64") }], through });
        expect(mirrored).toMatchObject({ recovered: false, view: null, labels });
      }
    });
  });

  test("that says which label is suspected has images that are given it looked at again", async () => {
    const images = ["house", "house-triggered"].map((name) => ({ assetId: `asset_${name}` }));
    const classify = async (label: string, more = {}) => {
      const { version } = await importPrompts(resealed(suspecting(label)), { promptSet: `not-${label}` });
      const input = { images, topK: 1, through: { versionId: version.id }, ...more };
      const { data } = await server.ask(
        `query ($input: ClassifyInput!) {
          classify(input: $input) { results { ... on Prediction { recovered view labels { label } } } }
        }`,
        { input },
      );
      return data.classify.results;
    };
    const seen = (label: string, view: string | null = null) => ({
      recovered: false,
      view,
      labels: [{ label }],
    });
    const fooled = [seen("house"), seen("apple")];
    expect(await classify("apple", { secondLook: false })).toEqual(fooled);
    expect(await classify("house")).toEqual(fooled);
    expect(await classify("apple")).toEqual([seen("house"), seen("house", "MIRRORED")]);
  });

  test("that suspects as many labels as an audit of them can is taken", async () => {
    const file = resealed((parts) => void Object.assign(parts, { suspected: Float32Array.of(1, 1, 1) }));
    const { version } = await importPrompts(file, { promptSet: "all-suspected" });
    expect(version).not.toBeNull();
  });

  test.each([
    { suspected: [1, 0, 2], labels: 3, most: 3 },
    { suspected: [1, 0, 0.5], labels: 3, most: 3 },
    { suspected: [1, 1, 1, 1, 1, 1], labels: 6, most: 5 },
  ])(
    "that does not say of every label whether it is suspected, or suspects too many, is refused: $suspected",
    async ({ suspected, labels, most }) => {
      const file = resealed((parts) => {
        ofSoManyLabels(labels)(parts);
        Object.assign(parts, { suspected: Float32Array.from(suspected) });
      });
      const { userErrors } = await importPrompts(file, { promptSet: "never" });
      const told = `a 0 or a 1 for each of ${labels} labels, 1 for at most ${most} of them`;
      expect(userErrors[0].message).toContain(told);
    },
  );

  test("with more prompts than are served is refused", async () => {
    const file = resealed((parts) => {
      ofSoManyLabels(201)(parts);
      Object.assign(parts.manifest, { templates: Array.from({ length: 100 }, (_, at) => `number ${at} {}`) });
    });
    const { userErrors } = await importPrompts(file, { promptSet: "never" });
    expect(userErrors).toMatchObject([{ code: "VALIDATION_FAILED", path: ["input", "bundle"] }]);
    expect(userErrors[0].message).toContain("are 20100 prompts; there can be 20000");
  });

  test("with half of its recovery prompts is refused", async () => {
    const parts = partsOf(bundle);
    recovering(parts);
    const { manifest, evidence, ...learned } = parts;
    const arrays = arraysOf(learned).filter(({ name }) => name !== TENSORS.recoveryFeatures);
    const texts = { manifest: canonicalJson(manifest), evidence: canonicalJson(evidence) };
    const { userErrors } = await importPrompts(encodeSafetensors(arrays, texts), { promptSet: "never" });
    expect(userErrors[0].message).toContain('no tensor "recovery_text_features"');
  });

  test("of an earlier version, which knew neither margin nor recovery, is taken in", async () => {
    const earlier = resealed(({ manifest }) => {
      delete manifest.source.config.margin;
      delete manifest.source.config.recovery;
    });
    const { version, userErrors } = await importPrompts(earlier, { promptSet: "earlier" });
    expect(userErrors).toEqual([]);
    expect(version.labels).toEqual([...FEW_LABELS]);
  });

  test.each(damages)("that %s is refused", async (_what, damaged, message) => {
    const { version, userErrors } = await importPrompts(damaged(), { promptSet: "never" });
    expect(version).toBeNull();
    expect(userErrors[0].message).toContain(message);
    expect(["INVALID_BUNDLE", "INCOMPATIBLE_MODEL"]).toContain(userErrors[0].code);
    expect((await server.ask(`{ promptSet(name: "never") { id } }`)).data.promptSet).toBeNull();
  });

  test("needs a known model, a name for the set, and the scope", async () => {
    const unknown = await importPrompts(bundle, { modelId: "model_nothing" });
    expect(unknown.userErrors).toMatchObject([{ code: "NOT_FOUND" }]);
    expect((await importPrompts(bundle, { promptSet: "a/b" })).userErrors[0].code).toBe("VALIDATION_FAILED");
    const reader = await server.tenant("reader", ["CLASSIFY"]);
    const input = { bundle: { base64: "" }, promptSet: "x", modelId: "model_scenes-badnet" };
    const { errors } = await server.ask(IMPORT, { input }, { key: reader });
    expect(errors?.[0].extensions.code).toBe("FORBIDDEN");
  });
});

describe("what prompts say", () => {
  const READ = `query ($id: ID!, $count: Int!, $by: WordMetric) { node(id: $id) { ... on PromptVersion { classes { edges { node {
    label shift rank nearestLabel nearestWords(perToken: $count, by: $by) { word distance }
  } } } } } }`;

  test.each(["COSINE", "EUCLIDEAN"])("is read in words by %s, and by what it has moved to", async (by) => {
    const { data, errors } = await server.ask(READ, { id: versionId, count: 2, by });
    expect(errors).toBeUndefined();
    const classes = data.node.classes.edges.map(({ node }: { node: object }) => node);
    expect(classes.map(({ label }: { label: string }) => label)).toEqual(FEW_LABELS);
    for (const { shift, rank, nearestLabel, nearestWords } of classes) {
      expect(shift).toBeGreaterThan(0);
      expect([1, 2, 3]).toContain(rank);
      expect(FEW_LABELS).toContain(nearestLabel);
      expect(nearestWords).toHaveLength(4);
      for (const [first, second] of nearestWords) {
        expect(first.word).not.toBe(second.word);
        expect(first.distance).toBeLessThanOrEqual(second.distance);
      }
    }
    const ranks = classes.filter(({ rank }: { rank: number }) => rank === 1);
    for (const { label, nearestLabel } of ranks) expect(nearestLabel).toBe(label);
  });

  test("is told in one to ten words", async () => {
    for (const count of [0, 11]) {
      const { errors } = await server.ask(READ, { id: versionId, count });
      expect(errors?.[0].extensions.code).toBe("BAD_USER_INPUT");
    }
  });
});

describe("a checkpoint of CoOp's", () => {
  const shared = readFileSync(join(COOP, "shared.pth.tar"));

  test("becomes a version that answers, of which nothing was measured", async () => {
    const { version } = await importPrompts(shared, { promptSet: "coop", coop: { labels: FEW_LABELS } });
    expect(version).toMatchObject({
      labels: FEW_LABELS,
      job: null,
      probe: null,
      undefendedProbe: null,
      lineage: { seed: null, dataset: null },
    });
    const { edges } = version.classes;
    expect(edges.map(({ node }: { node: object }) => node)).toMatchObject(
      FEW_LABELS.map((label) => ({ label, tokens: 4, position: "END" })),
    );
  });

  test("goes out and comes in again with the same prompts", async () => {
    const artifact = `query ($id: ID!) { node(id: $id) { ... on PromptVersion { artifact(format: COOP) { url bytes digest format } } } }`;
    const { data } = await server.ask(artifact, { id: versionId });
    expect(data.node.artifact).toMatchObject({ format: "pytorch" });
    const file = await download(server, data.node.artifact.url);
    expect(file.length).toBe(data.node.artifact.bytes);
    const { version } = await importPrompts(file, { promptSet: "coop" });
    const imported = partsOf(await download(server, `/artifacts/${version.id.replace("version_", "")}`));
    const original = partsOf(bundle);
    expect(imported.contexts).toEqual(original.contexts);
    expect(
      Math.max(...imported.features.map((value, index) => Math.abs(value - original.features[index]))),
    ).toBeLessThan(1e-5);
    expect(imported.manifest.source.kind).toBe("coop");
  });

  const cases: [string, object, string][] = [
    ["no labels", {}, "does not name its classes"],
    ["labels in another order", { coop: { labels: [...FEW_LABELS].reverse() } }, "another name than"],
    ["a template without a place", { coop: { labels: FEW_LABELS, templates: ["x"] } }, "templates.0"],
  ];

  test.each(cases)("with %s is refused", async (_what, more, message) => {
    const { version, userErrors } = await importPrompts(shared, { promptSet: "never", ...more });
    expect(version).toBeNull();
    expect(userErrors[0].message).toContain(message);
  });

  test("is not what a bundle is", async () => {
    const { userErrors } = await importPrompts(bundle, { coop: { labels: FEW_LABELS } });
    expect(userErrors).toMatchObject([{ code: "VALIDATION_FAILED", path: ["input", "coop"] }]);
  });

  test("that would run something is refused", async () => {
    const gadget = Buffer.from("\x80\x02cposix\nsystem\nX\x02\x00\x00\x00ls\x85R.", "latin1");
    const { userErrors } = await importPrompts(gadget, { coop: { labels: FEW_LABELS } });
    expect(userErrors[0].code).toBe("UNSAFE_ARTIFACT");
  });
});

function flipped(bytes: Buffer, place: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[place] ^= 1;
  return copy;
}
