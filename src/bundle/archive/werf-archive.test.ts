import { execFileSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { putImage } from "../../../test/support/bundle-project.js";
import { MemoryStore } from "../../../test/support/memory-store.js";
import { requirePeer } from "../../../test/support/registries.js";
import { type TestRun, testRun } from "../../../test/support/run-context.js";
import { writeTar } from "../../archive/tar-writer.js";
import { copyImages } from "../../oci/copy/copy-images.js";
import { type Digest, digestOf, hexOf } from "../../oci/digest.js";
import { createLayoutTar } from "../../oci/layout/layout-tar-writer.js";
import { parseManifest } from "../../oci/manifest.js";
import { mediaTypes } from "../../oci/media-types.js";
import { readBundle } from "../bundle.js";
import { packChart } from "../chart/chart.js";
import { type CopyBundleResult, copyBundle } from "../copy-bundle.js";
import { openBundleArchive } from "./open-archive.js";

const skopeo = requirePeer("skopeo");
let run: TestRun;
beforeEach(async () => {
  run = await testRun();
});
afterEach(() => run.dispose());

type Files = Readonly<Record<string, string | Uint8Array>>;

async function tar(files: Files): Promise<Buffer> {
  const items = Object.entries(files).map(([name, content]) => {
    const bytes = Buffer.from(content);
    const header = { name, type: "file", mode: 0o777, uid: 0, gid: 0, mtime: 9, size: bytes.length } as const;
    return { header, content: () => bytes };
  });
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeTar(items)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

interface Saved {
  readonly files: Files;
  readonly config: Digest;
  readonly layers: readonly Digest[];
}

/** As go-containerregistry lays it out: config by digest, compressed layers by theirs, manifest.json last. */
function dockerSave(tag: string, layers: readonly string[]): Saved {
  const rootfs = { type: "layers", diff_ids: layers.map((layer) => digestOf(layer)) };
  const config = JSON.stringify({ architecture: "amd64", os: "linux", rootfs });
  const packed = layers.map((layer) => gzipSync(layer));
  const digests = packed.map((bytes) => digestOf(bytes));
  const names = digests.map((digest) => `${hexOf(digest)}.tar.gz`);
  const manifest = [{ Config: digestOf(config), RepoTags: [`a.example/shop:${tag}`], Layers: names }];
  const blobs = Object.fromEntries(names.map((name, i) => [name, packed[i] ?? ""]));
  return {
    files: { [digestOf(config)]: config, ...blobs, "manifest.json": JSON.stringify(manifest) },
    config: digestOf(config),
    layers: digests,
  };
}

const lost = `sha256:${"1".repeat(64)}`;
const chartOf = (tags: readonly string[], extra: Files = {}): Promise<Uint8Array> => {
  const images = tags.map((tag) => `    ${tag}: a.example/shop:${tag}\n`).join("");
  const pinned = tags
    .map((tag) => `      ${tag}: {image: a.example/shop, tag: ${tag}, digest: '${lost}'}\n`)
    .join("");
  const values = `werf:\n  repo: a.example/shop\n  image:\n${images}global:\n  werf:\n    images:\n${pinned}`;
  const files = {
    "Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
    "values.yaml": values,
    ...extra,
  };
  const bytes = Object.entries(files).map(([path, text]) => [path, Buffer.from(text)] as const);
  return packChart("shop", { files: new Map(bytes), mtime: 1_700_000_000 });
};

async function writeArchive(files: Files): Promise<void> {
  await writeFile(join(run.cwd, "old.tar.gz"), gzipSync(await tar(files)));
}

async function copyFrom(destination: MemoryStore): Promise<CopyBundleResult> {
  const { store, reference, imagesBy } = await openBundleArchive(run, "old.tar.gz");
  try {
    return await copyBundle(run, {
      source: store,
      reference,
      imagesBy,
      destination,
      tag: "1.0.0",
      rewriteFor: destination.address,
    });
  } finally {
    await store.close("done");
  }
}

describe("an archive of werf", () => {
  it("is copied to a registry: config and layers as they are, values with the new digests, a warning", async () => {
    const one = dockerSave("one", ["base", "code of one"]);
    const two = dockerSave("two", ["base", "code of two"]);
    await writeArchive({
      "chart.tar.gz": await chartOf(["one", "two"]),
      "images/one.tar.gz": gzipSync(await tar(one.files)),
      "images/two.tar.gz": gzipSync(await tar(two.files)),
    });
    const destination = new MemoryStore("b.example/mirror");
    const result = await copyFrom(destination);
    const raw = destination.manifests.get(destination.tags.get("one")!)!;
    expect(parseManifest(raw, "x")).toMatchObject({
      mediaType: mediaTypes.dockerManifest,
      config: { mediaType: mediaTypes.dockerConfig, digest: one.config },
      layers: one.layers.map((digest) => ({ mediaType: mediaTypes.dockerLayerGzip, digest })),
    });
    // The shared layer travels once: two configs, three layers, and two blobs of the chart.
    expect(destination.blobs.size).toBe(7);
    const { values } = await readBundle(destination, "1.0.0");
    expect(values.get(["global", "werf", "images", "one", "ref"])).toBe(`b.example/mirror:one@${raw.digest}`);
    expect(result.images.map((image) => image.digest)).toEqual([raw.digest, destination.tags.get("two")]);
    const warnings = run.events.filter((event) => event.code === "warning");
    expect(warnings.map((warning) => warning.id)).toEqual(["bundle/digest-changed", "bundle/digest-changed"]);
  });

  it("may hold an image with the tag that the bundle gets here", async () => {
    const saved = dockerSave("bundle", ["x"]);
    await writeArchive({
      "images/bundle.tar.gz": gzipSync(await tar(saved.files)),
      "chart.tar.gz": await chartOf(["bundle"]),
    });
    const destination = new MemoryStore("b.example/mirror");
    await copyFrom(destination);
    expect([...destination.tags.keys()].sort()).toEqual(["1.0.0", "bundle"]);
  });

  it.skipIf(skopeo === undefined)(
    "may hold what skopeo and docker save write: layers not compressed",
    async () => {
      const store = new MemoryStore("a.example/shop");
      const layer = gzipSync(await tar({ "etc/a": "a" }));
      const plain = await tar({ "etc/a": "a" });
      const rootfs = { type: "layers", diff_ids: [digestOf(plain)] };
      store.putManifest(
        {
          schemaVersion: 2,
          mediaType: mediaTypes.ociManifest,
          config: store.putBlob(
            JSON.stringify({ architecture: "amd64", os: "linux", rootfs }),
            mediaTypes.ociConfig,
          ),
          layers: [store.putBlob(layer, mediaTypes.ociLayerGzip)],
        },
        "app",
      );
      const layout = await createLayoutTar(run, "layout.tar");
      await copyImages(run, [{ source: store, reference: "app", destination: layout, tags: ["app"] }]);
      await layout.close("done");
      const saved = join(run.cwd, "saved.tar");
      const policy = join(run.cwd, "policy.json");
      await writeFile(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
      await mkdir(join(run.cwd, "tmp"));
      execFileSync(skopeo ?? "", [
        "--tmpdir",
        join(run.cwd, "tmp"),
        "--policy",
        policy,
        "copy",
        "--quiet",
        `oci-archive:${join(run.cwd, "layout.tar")}:app`,
        `docker-archive:${saved}:a.example/shop:app`,
      ]);
      await writeArchive({
        "chart.tar.gz": await chartOf(["app"]),
        "images/app.tar.gz": gzipSync(await readFile(saved)),
      });
      const destination = new MemoryStore("b.example/mirror");
      await copyFrom(destination);
      const parsed = parseManifest(destination.manifests.get(destination.tags.get("app")!)!, "x");
      expect(parsed).toMatchObject({
        layers: [{ mediaType: "application/vnd.docker.image.rootfs.diff.tar", digest: digestOf(plain) }],
      });
    },
  );

  const good = dockerSave("one", ["base"]);
  const { "manifest.json": _index, ...withoutIndex } = good.files;
  it.each<[string, Files, string]>([
    ["an image without manifest.json", withoutIndex, "bundle/archive-invalid"],
    [
      "a manifest.json that names what isn't there",
      { "manifest.json": '[{"Config":"/etc/passwd","Layers":[]}]' },
      "bundle/archive-invalid",
    ],
    ["a manifest.json that is no JSON", { ...good.files, "manifest.json": "{" }, "bundle/archive-invalid"],
    ["two images in one", { ...good.files, "manifest.json": "[{},{}]" }, "bundle/archive-invalid"],
    [
      "a config with another number of layers",
      {
        ...good.files,
        "manifest.json": JSON.stringify([{ Config: good.config, Layers: [] }]),
      },
      "bundle/archive-invalid",
    ],
  ])("is refused with %s", async (_what, files, code) => {
    await writeArchive({
      "chart.tar.gz": await chartOf(["one"]),
      "images/one.tar.gz": gzipSync(await tar(files)),
    });
    await expect(openBundleArchive(run, "old.tar.gz")).rejects.toMatchObject({
      code,
      message: expect.stringContaining("archive:old.tar.gz"),
    });
  });

  it("is refused without a chart, and when it is cut off", async () => {
    await writeArchive({ "images/one.tar.gz": gzipSync(await tar(good.files)) });
    await expect(openBundleArchive(run, "old.tar.gz")).rejects.toMatchObject({
      code: "bundle/archive-invalid",
      message: expect.stringContaining("chart.tar.gz"),
    });
    const whole = gzipSync(
      await tar({
        "chart.tar.gz": await chartOf(["one"]),
        "images/one.tar.gz": gzipSync(await tar({ ...good.files, padding: Buffer.alloc(100_000, "x") })),
      }),
    );
    await writeFile(join(run.cwd, "old.tar.gz"), whole.subarray(0, whole.length - 200));
    await expect(openBundleArchive(run, "old.tar.gz")).rejects.toMatchObject({
      code: expect.stringMatching(/^bundle\/archive-/),
    });
  });

  it("says which image it lacks", async () => {
    await writeArchive({ "chart.tar.gz": await chartOf(["one"]) });
    const destination = new MemoryStore("b.example/mirror");
    await expect(copyFrom(destination)).rejects.toMatchObject({ code: "bundle/image-missing" });
    expect(destination.manifests.size).toBe(0);
  });
});

describe("an archive that we write", () => {
  it.skipIf(skopeo === undefined)("is an oci-archive for skopeo", async () => {
    const store = new MemoryStore("a.example/shop");
    const image = putImage(store, "backend");
    const layout = await createLayoutTar(run, "layout.tar");
    await copyImages(run, [
      { source: store, reference: "backend-tag", destination: layout, tags: ["backend-tag"] },
    ]);
    await layout.close("done");
    const file = `oci-archive:${join(run.cwd, "layout.tar")}:backend-tag`;
    await mkdir(join(run.cwd, "tmp"));
    const raw = execFileSync(skopeo ?? "", ["--tmpdir", join(run.cwd, "tmp"), "inspect", "--raw", file]);
    expect(digestOf(raw)).toBe(image.digest);
  });
});
