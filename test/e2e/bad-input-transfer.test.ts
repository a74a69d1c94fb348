import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { werf } from "../support/cli.js";
import {
  answering,
  type Fault,
  type Faults,
  type FaultyRegistry,
  flipped,
  isBlob,
  isManifest,
  registryErrors,
  startFaultyRegistry,
  when,
  withBody,
} from "../support/faulty-registry.js";
import { shopFiles, type TestProject, testProject } from "../support/project.js";
import { expectRefusal, impatientClock, type Refusal } from "../support/refusal.js";
import { type EmbeddedTestRegistry, startEmbedded } from "../support/registries.js";
import { readTags, registryTags } from "../support/tags.js";

// A registry that fails in the middle of the work: what has a tag is whole, and the next run gets it done.

let registry: EmbeddedTestRegistry;
let faulty: FaultyRegistry;
let shop: TestProject;
/** An image on a base in the faulty registry, whose files it has to look at. */
let based: TestProject;
let target: string;
let repositories = 0;

beforeAll(async () => {
  registry = await startEmbedded();
  faulty = await startFaultyRegistry(registry.host);
  shop = testProject(shopFiles);
  shop.commit("first");
  shop.push("main");
  await ok(
    shop,
    "build",
    "base",
    "--no-final-images-only",
    "--repo",
    base(),
    "--add-custom-tag",
    "%image%-1",
  );
  await ok(shop, "build", "--repo", base(), "--add-custom-tag", "%image%-1");
  await ok(shop, "bundle", "publish", "--repo", `${registry.host}/calm/shop`, "--tag", "1.0.0");
  based = testProject({
    "werf.yaml": "project: based\nconfigVersion: 1\n---\nimage: app\ndockerfile: Dockerfile\n",
    Dockerfile: `FROM ${faulty.host}/calm/base:backend-1\nCOPY --from=${faulty.host}/calm/base:backend-1 /srv /copy\n`,
  });
  based.commit("first");
});
afterAll(async () => {
  await faulty.stop();
  await registry.stop();
  shop.dispose();
  based.dispose();
});
beforeEach(() => {
  target = `bad/transfer-${++repositories}`;
});
afterEach(() => faulty.fail(() => undefined));

const base = (): string => `${registry.host}/calm/base`;
const at = (project: TestProject): { cwd: string; home: string } => ({
  cwd: project.directory,
  home: join(project.home, String(repositories)),
});
async function ok(project: TestProject, ...argv: string[]): Promise<string> {
  const result = await werf(argv, { ...at(project), clock: impatientClock });
  expect(result, result.stderr).toMatchObject({ exitCode: 0 });
  return result.stderr;
}

describe("a base image with", () => {
  it.each<[string, Faults, Refusal["says"]]>([
    [
      "no such tag",
      when(isManifest, answering(404, registryErrors("MANIFEST_UNKNOWN", "no"))),
      ["base image", "backend-1"],
    ],
    ["no permission", when(isManifest, answering(403, registryErrors("DENIED", "no"))), ["403", "backend-1"]],
    [
      "other bytes of its manifest",
      when(isManifest, withBody(flipped)),
      ["backend-1|manifest"].map((p) => new RegExp(p)),
    ],
    ["other bytes of a blob", when(isBlob, withBody(flipped)), ["sha256:", "came as"]],
    [
      "a truncated blob",
      when(
        isBlob,
        withBody((b) => b.subarray(0, b.length >> 1)),
      ),
      ["sha256:", "came as"],
    ],
    ["a blob that is cut off", when(isBlob, { kind: "cut", after: 20 }), ["sha256:", "broke"]],
    [
      "a blob that is missing",
      when(isBlob, answering(404, registryErrors("BLOB_UNKNOWN", "no"))),
      ["sha256:"],
    ],
    ["a blob behind a failing server", when(isBlob, answering(500)), ["sha256:", "500"]],
  ])("%s", async (_what, faults, says) => {
    faulty.fail(faults);
    const repo = `${registry.host}/${target}`;
    await expectRefusal(["build", "--repo", repo], at(based), { says: [faulty.host, ...says] });
    expect(await registryTags(repo)).toEqual([]);
    faulty.fail(() => undefined);
    await ok(based, "build", "--repo", repo);
    expect(readTags(await registryTags(repo)).stages).toBe(1);
  });
});

/** Requests that write, by what they write. */
const writes: [string, Parameters<typeof when>[0]][] = [
  ["beginnings of uploads", ({ method, path }) => method === "POST" && path.includes("/blobs/uploads/")],
  ["ends of uploads", ({ method, path }) => method === "PUT" && path.includes("/blobs/uploads/")],
  ["stages", ({ method, path }) => method === "PUT" && /\/manifests\/[0-9a-f]{56}/.test(path)],
  ["records", ({ method, path }) => method === "PUT" && /\/manifests\/(?:meta|managed)-/.test(path)],
  ["the bundle", ({ method, path }) => method === "PUT" && path.endsWith("/manifests/1.0.0")],
];
const failures: [string, Fault, RegExp][] = [
  ["denies", answering(403, registryErrors("DENIED", "not you")), /403 DENIED: not you/],
  ["fails for", answering(500, "out of order"), /500 out of order/],
  ["has no room for", answering(413, registryErrors("SIZE_INVALID", "quota")), /413 SIZE_INVALID: quota/],
  ["hangs up on", { kind: "cut", after: "nothing" }, /the connection broke/],
];

describe.each(writes)("a registry that takes no %s", (what, isWrite) => {
  const publish = (): string[] => [
    "bundle",
    "publish",
    "--tag",
    "1.0.0",
    "--repo",
    `${faulty.host}/${target}`,
  ];
  const copy = (): string[] => [
    "bundle",
    "copy",
    "--from",
    `${registry.host}/calm/shop:1.0.0`,
    "--to",
    `${faulty.host}/${target}:1.0.0`,
  ];

  it.each(failures)(`%s them`, async (_how, fault, says) => {
    for (const argv of what === "records" ? [publish] : [publish, copy]) {
      target = `bad/transfer-${++repositories}`;
      const repo = `${registry.host}/${target}`;
      faulty.fail(when(isWrite, fault));
      await expectRefusal(argv(), at(shop), { says: [faulty.host, says] });
      const tags = await registryTags(repo);
      expect(tags).not.toContain("1.0.0");
      await expectWhole(repo, tags);
      faulty.fail(() => undefined);
      await ok(shop, ...argv());
      expect(await registryTags(repo)).toContain("1.0.0");
    }
  });
});

describe("a registry that recovers", () => {
  it.each<[string, Faults]>([
    [
      "from too many requests",
      ({ count }) => (count === 1 ? answering(429, "", { "retry-after": "0" }) : undefined),
    ],
    ["from failures", ({ count, method }) => (count <= 2 && method !== "POST" ? answering(503) : undefined)],
    [
      "from cut connections",
      ({ count, method }) =>
        count === 1 && method !== "POST" ? { kind: "cut", after: "nothing" } : undefined,
    ],
    [
      "in the middle of answers",
      (request) =>
        request.count === 1 && (isManifest(request) || isBlob(request))
          ? { kind: "cut", after: 10 }
          : undefined,
    ],
  ])("%s isn't given up", async (_what, faults) => {
    faulty.fail(faults);
    const repo = `${faulty.host}/${target}`;
    await ok(shop, "bundle", "publish", "--tag", "1.0.0", "--repo", repo);
    const archive = join(shop.base, `${repositories}.tar`);
    await ok(shop, "bundle", "copy", "--from", `${repo}:1.0.0`, "--to", `archive:${archive}`);
    expect(existsSync(archive)).toBe(true);
    faulty.fail(() => undefined);
    await expectWhole(`${registry.host}/${target}`, await registryTags(`${registry.host}/${target}`));
  });
});

/** Each tag has a manifest with all its blobs. */
async function expectWhole(repo: string, tags: readonly string[]): Promise<void> {
  const url = `http://${repo.replace("/", "/v2/")}`;
  for (const tag of tags) {
    const response = await fetch(`${url}/manifests/${tag}`, { headers: { accept: "*/*" } });
    const manifest = (await response.json()) as { config: { digest: string }; layers: { digest: string }[] };
    for (const { digest } of [manifest.config, ...manifest.layers]) {
      const blob = await fetch(`${url}/blobs/${digest}`, { method: "HEAD" });
      expect(blob.status, `${tag}: ${digest}`).toBe(200);
    }
  }
}
