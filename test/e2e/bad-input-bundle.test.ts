import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readTar } from "../../src/archive/tar-reader.js";
import { type TarSpec, tarOf } from "../support/base-image.js";
import { werf } from "../support/cli.js";
import { shopFiles, type TestProject, testProject } from "../support/project.js";
import { expectRefusal, type Refusal } from "../support/refusal.js";
import { type EmbeddedTestRegistry, startEmbedded } from "../support/registries.js";
import { readTags, registryTags } from "../support/tags.js";

// Bundles and archives that aren't what they should be: nothing of them gets a tag, no file is left.

let registry: EmbeddedTestRegistry;
let project: TestProject;
let source: string;
let target: string;
let stage: string;
/** A good archive, as it is in the file and by entries. */
let archive: Buffer;
const entries = new Map<string, Buffer>();
let repositories = 0;

beforeAll(async () => {
  registry = await startEmbedded();
  project = testProject(shopFiles);
  project.commit("first");
  project.push("main");
  source = `${registry.host}/calm/shop`;
  await ok("bundle", "publish", "--repo", source, "--tag", "1.0.0");
  stage = (await registryTags(source)).find((tag) => readTags([tag]).stages === 1) ?? "";
  const file = join(project.base, "good.tar");
  await ok("bundle", "copy", "--from", `${source}:1.0.0`, "--to", `archive:${file}`);
  archive = readFileSync(file);
  for await (const { header, content } of readTar(Readable.from([archive]))) {
    entries.set(header.name, await buffer(Readable.from(content)));
  }
});
afterAll(async () => {
  await registry.stop();
  project.dispose();
});
beforeEach(() => {
  target = `${registry.host}/bad/bundle-${++repositories}`;
});

const setting = (): { cwd: string; home: string } => ({ cwd: project.directory, home: project.home });
async function ok(...argv: string[]): Promise<void> {
  const result = await werf(argv, setting());
  expect(result, result.stderr).toMatchObject({ exitCode: 0 });
}

async function refusedFrom(from: string, refusal: Refusal): Promise<void> {
  const file = join(project.base, "never.tar");
  await expectRefusal(["bundle", "copy", "--from", from, "--to", `${target}:1.0.0`], setting(), refusal);
  expect(await registryTags(target)).toEqual([]);
  await expectRefusal(["bundle", "copy", "--from", from, "--to", `archive:${file}`], setting(), refusal);
  expect(existsSync(file)).toBe(false);
}

describe("a bundle's tag that", () => {
  it("is an image", () =>
    refusedFrom(`${source}:${stage}`, { says: [stage, "not a bundle", "container image"] }));

  it("is an index", async () => {
    const platforms = ["--platform", "linux/amd64", "--platform", "linux/arm64"];
    const repo = `${registry.host}/calm/index`;
    await ok("build", "--repo", repo, ...platforms, "--add-custom-tag", "%image%-latest");
    await refusedFrom(`${repo}:backend-latest`, { says: ["backend-latest", "not a bundle", "index"] });
  });

  it("is missing, as is its repository", async () => {
    await refusedFrom(`${source}:2.0.0`, { says: [`${source}:2.0.0`, "does not exist"] });
    const nowhere = `${registry.host}/calm/nowhere:1.0.0`;
    await refusedFrom(nowhere, { says: [nowhere, "does not exist"] });
    const digest = `sha256:${"0".repeat(64)}`;
    await refusedFrom(`${source}@${digest}`, { says: [digest, "does not exist"] });
  });

  it("names an image that was deleted", async () => {
    const repo = `${registry.host}/calm/incomplete`;
    await ok("bundle", "publish", "--repo", repo, "--tag", "1.0.0");
    for (const tag of await registryTags(repo)) {
      if (readTags([tag]).stages === 0) continue;
      const url = `http://${repo.replace("/", "/v2/")}/manifests/${tag}`;
      const head = await fetch(url, { method: "HEAD", headers: { accept: "*/*" } });
      const digest = head.headers.get("docker-content-digest");
      await fetch(url.replace(tag, digest ?? ""), { method: "DELETE" });
    }
    await refusedFrom(`${repo}:1.0.0`, { says: ['the image "backend"', repo, "publish the bundle again"] });
  });
});

describe("the addresses of a copy", () => {
  it.each<[string, string, Refusal["says"]]>([
    ["a digest as destination", `x.example/app@sha256:${"0".repeat(64)}`, ["--to", "sha256:"]],
    ["a wrong tag", "x.example/app:a b", ["x.example/app:a b"]],
    ["a scheme", "oci://x.example/app:1", ["oci://"]],
    ["an archive without a name", "archive:", ["archive:"]],
  ])("with %s", async (_what, to, says) => {
    await expectRefusal(["bundle", "copy", "--from", `${source}:1.0.0`, "--to", to], setting(), {
      exitCode: 2,
      says,
    });
  });

  it("with a directory, or something below a file, in place of a file", async () => {
    const below = join(project.directory, "werf.yaml/shop.tar");
    for (const to of [project.base, below]) {
      const argv = ["bundle", "copy", "--from", `${source}:1.0.0`, "--to", `archive:${to}`];
      await expectRefusal(argv, setting(), { says: [to, "archive:FILE"] });
    }
  });

  it("with the tag of one of its images", async () => {
    await expectRefusal(
      ["bundle", "copy", "--from", `${source}:1.0.0`, "--to", `${target}:${stage}`],
      setting(),
      {
        exitCode: 2,
        says: [stage, "backend"],
      },
    );
    expect(await registryTags(target)).toEqual([]);
  });
});

const digestOf = (bytes: Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const blobPath = (digest: string): string => `blobs/${digest.replace(":", "/")}`;
const specs = (changed: ReadonlyMap<string, Buffer> = entries): TarSpec[] =>
  [...changed].map(([name, content]) => (name.endsWith("/") ? { name } : { name, content }));
type Json = Record<string, unknown>;
interface IndexJson {
  manifests: { digest: string; size: number; mediaType: string; annotations?: Record<string, string> }[];
}
const index = (): IndexJson => JSON.parse(String(entries.get("index.json"))) as IndexJson;
/** The archive with another index. */
const indexed = (change: (index: IndexJson) => unknown): TarSpec[] => {
  const changed = Buffer.from(JSON.stringify(change(index())));
  return specs(new Map(entries).set("index.json", changed));
};
const manifestOf = (blob: Buffer | undefined): Json => JSON.parse(String(blob)) as Json;
/** The path of a blob that is no manifest, of the image or of the chart. */
const layerPath = (ofImage: boolean): string => {
  for (const { digest } of index().manifests) {
    const { config, layers } = manifestOf(entries.get(blobPath(digest))) as {
      config: { mediaType: string };
      layers: { digest: string }[];
    };
    if (config.mediaType.includes("helm") === ofImage) continue;
    return blobPath(layers[0]?.digest ?? "");
  }
  throw new Error("no such layer");
};

describe("an archive that", () => {
  async function refused(content: Uint8Array, refusal: Refusal): Promise<void> {
    const file = join(project.base, `bad-${repositories}.tar`);
    writeFileSync(file, content);
    await refusedFrom(`archive:${file}`, { ...refusal, says: [file, ...refusal.says] });
  }

  it("isn't there, or is a directory", async () => {
    await refusedFrom("archive:none.tar", { says: ["none.tar"] });
    await refusedFrom(`archive:${project.base}`, { says: [project.base] });
  });

  it("is no archive, or empty", async () => {
    await refused(Buffer.from("This is a letter.\n".repeat(100)), { says: [/not a|no |isn't/] });
    await refused(Buffer.alloc(0), { says: [/empty|not a|no /] });
    await refused(await tarOf([{ name: "hello.txt", content: "hello" }]), { says: [/not a|no |neither/] });
  });

  it.each([0.2, 0.5, 0.9])("is truncated after %d of its bytes", async (share) => {
    await refused(archive.subarray(0, Math.floor(archive.length * share)), { says: [/truncated|ends|cut/i] });
  });

  it.each(["../outside", "/etc/outside", "blobs/../../outside"])("has the path %s", async (name) => {
    await refused(await tarOf([{ name, content: "x" }, ...specs()]), { says: [name] });
    expect(existsSync(join(project.base, "../outside"))).toBe(false);
  });

  it.each([
    ["image", true],
    ["chart", false],
  ])("has other bytes in a blob of the %s", async (_what, ofImage) => {
    const path = layerPath(ofImage);
    const bytes = Buffer.from(entries.get(path) ?? []);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    await refused(await tarOf(specs(new Map(entries).set(path, bytes))), {
      says: [path.replace("blobs/sha256/", "sha256:")],
    });
  });

  it("lacks a blob, a manifest or its index", async () => {
    const without = (path: string): Promise<Buffer> =>
      tarOf(specs(new Map([...entries].filter(([name]) => name !== path))));
    const layer = layerPath(true);
    await refused(await without(layer), { says: [layer.replace("blobs/sha256/", "sha256:")] });
    const digest = index().manifests[0]?.digest ?? "";
    await refused(await without(blobPath(digest)), { says: [digest] });
    await refused(await without("index.json"), { says: ["index.json"] });
  });

  it("has an index that lies", async () => {
    const bundle = index().manifests.findIndex(({ digest }) =>
      String(entries.get(blobPath(digest))).includes("helm.config"),
    );
    const other = digestOf(Buffer.from("other"));
    const told = (fields: object) => (value: IndexJson) => ({
      ...value,
      manifests: value.manifests.map((entry, i) => (i === bundle ? { ...entry, ...fields } : entry)),
    });
    const lies: [(index: IndexJson) => unknown, Refusal["says"]][] = [
      [told({ digest: other }), [other]],
      [told({ size: 7 }), ["7"]],
      [told({ digest: "sha256:../../x" }), ["index.json"]],
      [told({ size: -1 }), ["index.json"]],
      [() => ({ schemaVersion: 2, manifests: {} }), ["index.json"]],
      [() => "text", ["index.json"]],
      [() => ({ schemaVersion: 2, manifests: [] }), [/bundle/]],
    ];
    for (const [lie, says] of lies) await refused(await tarOf(indexed(lie)), { says });
  });

  it("has images alone", async () => {
    const images = indexed((value) => ({
      ...value,
      manifests: value.manifests.filter(
        ({ digest }) => !String(entries.get(blobPath(digest))).includes("helm.config"),
      ),
    }));
    await refused(await tarOf(images), { says: [/bundle/] });
  });
});
