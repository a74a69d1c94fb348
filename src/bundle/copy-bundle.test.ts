import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import {
  type BundleProject,
  bundleProject,
  chartFiles,
  putImage,
} from "../../test/support/bundle-project.js";
import { MemoryStore } from "../../test/support/memory-store.js";
import { type TestRun, testRun } from "../../test/support/run-context.js";
import { WerfError } from "../core/errors.js";
import { createLayoutTar } from "../oci/layout/layout-tar-writer.js";
import { openBundleArchive } from "./archive/open-archive.js";
import { readBundle } from "./bundle.js";
import { bundleImages } from "./bundle-images.js";
import { chartArtifact, writeArtifactBlobs } from "./bundle-manifest.js";
import { packChart } from "./chart/chart.js";
import { type CopyBundleInput, type CopyBundleResult, copyBundle, planBundleCopy } from "./copy-bundle.js";
import { publishBundle } from "./publish-bundle.js";

let run: TestRun;
let project: BundleProject;
let source: MemoryStore;
let destination: MemoryStore;

beforeEach(async () => {
  run = await testRun();
  project = await bundleProject(run, chartFiles);
  source = new MemoryStore("a.example/team/shop");
  destination = new MemoryStore("b.example/mirror");
  await publishBundle(run, {
    store: source,
    tag: "v1.2.0",
    project: "shop",
    env: "prod",
    chart: { git: project.git, commit: project.commit, directory: ".helm" },
    images: [putImage(source, "backend"), putImage(source, "frontend")],
    werfVersion: "v9.9.9",
  });
  source.calls.length = 0;
});
afterEach(async () => {
  await project.dispose();
  await run.dispose();
});

const copy = (options: Partial<CopyBundleInput> = {}): Promise<CopyBundleResult> =>
  copyBundle(run, {
    source,
    reference: "v1.2.0",
    destination,
    tag: "v2.0.0",
    rewriteFor: destination.address,
    helmCompatibleChart: true,
    ...options,
  });

async function valuesOf(store: MemoryStore, tag: string): Promise<Record<string, never>> {
  const { chart } = await readBundle(store, tag);
  return parse(Buffer.from(chart.files.get("values.yaml")!).toString()) as Record<string, never>;
}

/** Puts a bundle with these values into the source, as any tool could. */
async function putBundle(tag: string, values: string, files: Record<string, string> = {}): Promise<void> {
  const all = { "Chart.yaml": "name: x\nversion: 1.0.0\n", "values.yaml": values, ...files };
  const bytes = new Map(Object.entries(all).map(([path, text]) => [path, Buffer.from(text)] as const));
  const archive = await packChart("x", { files: bytes, mtime: 42 });
  const artifact = chartArtifact({
    metadata: { name: "x", version: "1.0.0" },
    archive,
    created: new Date(0),
    layerType: "legacy",
  });
  await writeArtifactBlobs(source, artifact);
  await source.writeManifest(artifact.manifest, tag);
}

describe("copyBundle to a registry", () => {
  it("brings images with their digests, then a bundle that names them there", async () => {
    const result = await copy();
    expect(result).toMatchObject({ reference: "b.example/mirror:v2.0.0", tag: "v2.0.0" });
    for (const tag of ["backend-tag", "frontend-tag"]) {
      expect(destination.tags.get(tag)).toBe(source.tags.get(tag));
    }
    const backend = source.tags.get("backend-tag")!;
    expect(await valuesOf(destination, "v2.0.0")).toMatchObject({
      replicas: 1,
      werf: {
        own: "kept",
        name: "shop",
        repo: "b.example/mirror",
        image: { backend: "b.example/mirror:backend-tag", frontend: "b.example/mirror:frontend-tag" },
        tag: { backend: "backend-tag" },
      },
      global: {
        env: "prod",
        werf: {
          repo: "b.example/mirror",
          images: {
            backend: {
              registry: "b.example",
              namespace: ".",
              name: "mirror",
              repository: "mirror",
              image: "b.example/mirror",
              digest: backend,
              ref: `b.example/mirror:backend-tag@${backend}`,
              name_tag: "mirror:backend-tag",
            },
          },
        },
      },
    });
    const copied = await readBundle(destination, "v2.0.0");
    expect(copied.digest).toBe(result.digest);
    expect([copied.chartYaml.name, copied.chartYaml.version]).toEqual(["mirror", "2.0.0"]);
    expect(bundleImages(copied).map(({ name, repository }) => [name, repository])).toEqual([
      ["backend", "b.example/mirror"],
      ["frontend", "b.example/mirror"],
    ]);
    const { values, chart } = await readBundle(source, "v1.2.0");
    expect(values.get(["werf", "repo"])).toBe("a.example/team/shop");
    expect([...copied.chart.files.keys()]).toEqual([...chart.files.keys()]);
    expect(result.images[0]).toEqual({
      name: "backend",
      from: `a.example/team/shop:backend-tag@${backend}`,
      to: `b.example/mirror:backend-tag@${backend}`,
      tag: "backend-tag",
      digest: backend,
    });
    expect(destination.calls.filter((call) => call.startsWith("write")).at(-1)).toBe("writeManifest v2.0.0");
  });

  it("makes the same bytes again, and then sends nothing", async () => {
    const first = await copy();
    destination.calls.length = 0;
    const again = await copy();
    expect(again.digest).toBe(first.digest);
    expect(destination.calls.filter((call) => call.startsWith("write"))).toEqual([]);
  });

  it("can be planned, and the plan comes true", async () => {
    const input = {
      source,
      reference: "v1.2.0",
      destination,
      tag: "v2.0.0",
      rewriteFor: destination.address,
    };
    const lines = await planBundleCopy(run, input);
    expect(destination.calls.filter((call) => call.startsWith("write"))).toEqual([]);
    const result = await copyBundle(run, input);
    expect(lines.at(-1)).toMatchObject({ action: "write-tag", tag: "v2.0.0", digest: result.digest });
    expect(lines.filter((line) => line.action === "copy-blob")).toHaveLength(result.copy.blobs.uploaded);
    const again = await planBundleCopy(run, input);
    expect(new Set(again.map((line) => line.action))).toEqual(new Set(["keep"]));
  });

  it("takes the version from the commit when the tag is none, and the name as told", async () => {
    await copy({ tag: "stable", renameChart: "mine" });
    const { chartYaml } = await readBundle(destination, "stable");
    expect([chartYaml.name, chartYaml.version]).toEqual(["mine", "0.0.0-1700000000-stable"]);
    await copy({ tag: "plain", helmCompatibleChart: false });
    expect((await readBundle(destination, "plain")).chartYaml.name).toBe("shop");
  });

  it("copies the pinned digest although its tag moved, and says so", async () => {
    const pinned = source.tags.get("backend-tag")!;
    source.tags.set("backend-tag", source.tags.get("frontend-tag")!);
    await copy();
    expect(destination.tags.get("backend-tag")).toBe(pinned);
    expect(run.events).toContainEqual(expect.objectContaining({ code: "warning", id: "bundle/tag-moved" }));
  });

  it("copies the pinned digest although its tag is gone", async () => {
    const pinned = source.tags.get("backend-tag")!;
    source.tags.delete("backend-tag");
    await copy();
    expect(destination.tags.get("backend-tag")).toBe(pinned);
  });

  it("publishes nothing when an image is missing", async () => {
    source.manifests.delete(source.tags.get("backend-tag")!);
    source.tags.delete("backend-tag");
    await expect(copy()).rejects.toMatchObject({
      code: "bundle/image-missing",
      message: expect.stringContaining('"backend"'),
    });
    expect(destination.calls.filter((call) => call.startsWith("write"))).toEqual([]);
  });

  it("leaves no bundle behind when an image can't be written", async () => {
    const write = destination.writeManifest.bind(destination);
    destination.writeManifest = async (manifest, tag) => {
      if (tag === "frontend-tag") throw new WerfError("registry/quota", "the project is full");
      return write(manifest, tag);
    };
    await expect(copy()).rejects.toMatchObject({ code: "registry/quota" });
    expect(destination.tags.has("v2.0.0")).toBe(false);
  });

  it("refuses a tag that an image of the bundle has", async () => {
    await expect(copy({ tag: "backend-tag" })).rejects.toMatchObject({ code: "bundle/tag-taken" });
    expect(destination.calls.filter((call) => call.startsWith("write"))).toEqual([]);
  });

  it("copies a bundle of werf: no digests for some images, a nameless one, the layer type of old", async () => {
    const values =
      "werf:\n  repo: a.example/team/shop\n  is_nameless_image: true\n  nameless_image: a.example/team/shop:frontend-tag\n  image:\n    backend: a.example/team/shop:backend-tag\n";
    await putBundle("old", values);
    const result = await copy({ reference: "old", tag: "new" });
    expect(result.images.map((image) => image.digest)).toEqual([
      source.tags.get("backend-tag"),
      source.tags.get("frontend-tag"),
    ]);
    expect(await valuesOf(destination, "new")).toEqual({
      werf: {
        repo: "b.example/mirror",
        is_nameless_image: true,
        nameless_image: "b.example/mirror:frontend-tag",
        image: { backend: "b.example/mirror:backend-tag" },
      },
    });
    const { chartYaml, chart } = await readBundle(destination, "new");
    expect(chartYaml.version).toBe("0.0.0-42-new");
    expect(JSON.parse(Buffer.from(chart.files.get("werf-images.lock.json")!).toString())).toMatchObject({
      images: [{ name: "", tag: "frontend-tag" }, { name: "backend" }],
    });
  });

  it.each([
    ["an address that is none", "werf:\n  image:\n    x: 'http://evil/../x'\n", "bundle/values-invalid"],
    ["an image that is a list", "werf:\n  image:\n    x: [1]\n", "bundle/values-invalid"],
    ["images that are a text", "werf:\n  image: evil\n", "bundle/values-invalid"],
    ["an image without tag", "werf:\n  image:\n    x: a.example/x\n", "bundle/values-invalid"],
    ["values of another type", "- evil\n", "bundle/yaml-invalid"],
    [
      "a digest that is none",
      "global:\n  werf:\n    images:\n      x: {image: a.example/x, digest: DIGEST}\n",
      "bundle/values-invalid",
    ],
  ])("refuses %s, and writes nothing", async (_what, values, code) => {
    await putBundle("bad", values);
    await expect(copy({ reference: "bad" })).rejects.toMatchObject({ code });
    expect(destination.calls.filter((call) => call.startsWith("write"))).toEqual([]);
  });

  it("refuses a lock that contradicts the values", async () => {
    const digest = source.tags.get("frontend-tag")!;
    const lock = JSON.stringify({
      format: "werf-ts/images/v1",
      images: [{ name: "x", repository: "a.example/x", tag: "t", digest }],
    });
    const other = `sha256:${"0".repeat(64)}`;
    const values = `global:\n  werf:\n    images:\n      x: {image: a.example/x, tag: t, digest: '${other}'}\n`;
    await putBundle("bad", values, { "werf-images.lock.json": lock });
    await expect(copy({ reference: "bad" })).rejects.toMatchObject({ code: "bundle/values-invalid" });
  });

  it("says what it is when it is no bundle", async () => {
    await expect(copy({ reference: "backend-tag" })).rejects.toMatchObject({
      code: "bundle/not-a-bundle",
      message:
        "a.example/team/shop:backend-tag is not a bundle: it is an index of 2 manifests, as images for several platforms are",
    });
    await expect(copy({ reference: "nothing" })).rejects.toMatchObject({ code: "bundle/missing" });
  });
});

describe("copyBundle through an archive", () => {
  async function toArchive(file = "shop.tar"): Promise<CopyBundleResult> {
    const archive = await createLayoutTar(run, file);
    try {
      const { rewriteFor: _, ...input } = { source, reference: "v1.2.0", rewriteFor: undefined };
      const result = await copyBundle(run, { ...input, destination: archive, tag: "v1.2.0" });
      await archive.close("done");
      return result;
    } catch (error) {
      await archive.close("failed");
      throw error;
    }
  }

  it("keeps the bundle byte for byte in it, and lands as a copy without the detour does", async () => {
    const archived = await toArchive();
    expect(archived.digest).toBe(source.tags.get("v1.2.0"));
    const { store, reference, imagesBy } = await openBundleArchive(run, "shop.tar");
    expect([reference, imagesBy]).toEqual(["v1.2.0", "digest"]);
    const through = await copy({ source: store, reference, imagesBy });
    await store.close("done");
    const direct = new MemoryStore(destination.address);
    const straight = await copy({ destination: direct });
    expect(through.digest).toBe(straight.digest);
    expect([...destination.manifests.keys()].sort()).toEqual([...direct.manifests.keys()].sort());
    expect([...destination.blobs.keys()].sort()).toEqual([...direct.blobs.keys()].sort());
    expect(destination.tags).toEqual(direct.tags);
  });

  it("takes signatures along", async () => {
    const signed = source.tags.get("backend-tag")!;
    const tag = `${signed.replace(":", "-")}.sig`;
    const signature = putImage(source, "signature", tag);
    await toArchive();
    const { store, reference } = await openBundleArchive(run, "shop.tar");
    await copy({ source: store, reference });
    await store.close("done");
    expect(destination.tags.get(tag)).toBe(signature.digest);
  });

  it.each([
    ["nothing", undefined, "bundle/archive-missing"],
    ["a text", "just a text", "bundle/archive-unknown"],
    ["an empty file", "", "bundle/archive-unknown"],
  ])("refuses %s", async (_what, content, code) => {
    if (content !== undefined) await writeFile(join(run.cwd, "x.tar"), content);
    await expect(openBundleArchive(run, "x.tar")).rejects.toMatchObject({ code });
  });

  it("refuses an archive without a bundle", async () => {
    const archive = await createLayoutTar(run, "images.tar");
    await archive.close("done");
    await expect(openBundleArchive(run, "images.tar")).rejects.toMatchObject({ code: "bundle/missing" });
  });
});
