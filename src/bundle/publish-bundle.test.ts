import { execFileSync } from "node:child_process";
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
import { mediaTypes } from "../oci/media-types.js";
import { type Bundle, readBundle } from "./bundle.js";
import { bundleImages, bundleRoots } from "./bundle-images.js";
import { type PublishBundleInput, type PublishedBundle, publishBundle } from "./publish-bundle.js";

let run: TestRun;
const projects: BundleProject[] = [];
beforeEach(async () => {
  run = await testRun();
});
afterEach(async () => {
  await Promise.all(projects.splice(0).map((project) => project.dispose()));
  await run.dispose();
});

async function publish(
  store: MemoryStore,
  options: Partial<PublishBundleInput> = {},
  files: Parameters<typeof bundleProject>[1] = chartFiles,
): Promise<PublishedBundle> {
  const project = await bundleProject(run, files);
  projects.push(project);
  return publishBundle(run, {
    store,
    tag: "v1.2.0",
    project: "shop",
    env: "prod",
    chart: { git: project.git, commit: project.commit, directory: ".helm" },
    images: [putImage(store, "backend")],
    werfVersion: "v9.9.9",
    ...options,
  });
}
const text = (bundle: Bundle, path: string): string => Buffer.from(bundle.chart.files.get(path)!).toString();
const values = (bundle: Bundle): Record<string, unknown> =>
  parse(text(bundle, "values.yaml")) as Record<string, unknown>;

describe("publishBundle", () => {
  it("writes an artifact of the form that helm push writes", async () => {
    const store = new MemoryStore("reg.example/shop");
    const published = await publish(store);
    expect(published).toMatchObject({
      reference: "reg.example/shop:v1.2.0",
      tag: "v1.2.0",
      chartName: "shop",
      chartVersion: "1.2.0",
      result: "published",
    });
    const manifest = JSON.parse(Buffer.from(store.manifests.get(published.digest)!.bytes).toString());
    expect(manifest).toMatchObject({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: "application/vnd.cncf.helm.config.v1+json" },
      layers: [{ mediaType: "application/vnd.cncf.helm.chart.content.v1.tar+gzip" }],
      annotations: {
        "org.opencontainers.image.title": "shop",
        "org.opencontainers.image.version": "1.2.0",
        "org.opencontainers.image.description": "Sells things",
        "org.opencontainers.image.authors": "Ann (ann@example.org)",
        "org.opencontainers.image.created": "2023-11-14T22:13:20Z",
        "project.werf.io/name": "shop",
      },
    });
    const config: unknown = JSON.parse(Buffer.from(store.blobs.get(manifest.config.digest)!).toString());
    expect(config).toEqual({
      apiVersion: "v2",
      name: "shop",
      version: "1.2.0",
      description: "Sells things",
      maintainers: [{ name: "Ann", email: "ann@example.org" }],
      annotations: { "project.werf.io/name": "shop", "project.werf.io/env": "prod" },
    });
    const archive = store.blobs.get(manifest.layers[0].digest)!;
    const listed = execFileSync("tar", ["-tz"], { input: archive, encoding: "utf8" });
    expect(listed.trim().split("\n")).toEqual([
      "shop/Chart.yaml",
      "shop/values.yaml",
      "shop/.helmignore",
      "shop/extra_annotations.json",
      "shop/templates/pod.yaml",
      "shop/werf-images.lock.json",
    ]);
  });

  it("keeps what Chart.yaml and values.yaml say, and adds the values of werf", async () => {
    const store = new MemoryStore("reg.example/shop");
    const published = await publish(store);
    const bundle = await readBundle(store, "v1.2.0");
    expect(bundle.digest).toBe(published.digest);
    expect(text(bundle, "Chart.yaml")).toContain("# our shop\n");
    expect(text(bundle, "Chart.yaml")).toContain("x-team: blue\n");
    expect(text(bundle, "values.yaml")).toContain("# defaults\n");
    const digest = store.tags.get("backend-tag")!;
    const common = {
      name: "shop",
      version: "v9.9.9",
      repo: "reg.example/shop",
      env: "prod",
      commit: {
        hash: projects[0]!.commit.hash,
        date: { human: "2023-11-14 22:13:20 +0000 UTC", unix: 1_700_000_000 },
      },
    };
    expect(values(bundle)).toEqual({
      replicas: 1,
      werf: {
        own: "kept",
        ...common,
        image: { backend: "reg.example/shop:backend-tag" },
        tag: { backend: "backend-tag" },
      },
      global: {
        env: "prod",
        werf: {
          ...common,
          images: {
            backend: {
              registry: "reg.example",
              namespace: ".",
              name: "shop",
              tag: "backend-tag",
              digest,
              tag_digest: `backend-tag@${digest}`,
              image: "reg.example/shop",
              repository: "shop",
              ref: `reg.example/shop:backend-tag@${digest}`,
              ref_tag: "reg.example/shop:backend-tag",
              repository_ref: `shop:backend-tag@${digest}`,
              repository_tag: "shop:backend-tag",
              name_ref: `shop:backend-tag@${digest}`,
              name_tag: "shop:backend-tag",
            },
          },
        },
      },
    });
  });

  it("makes the same bytes from the same commit, and sends them once", async () => {
    const store = new MemoryStore("reg.example/shop");
    const first = await publish(store);
    const elsewhere = new MemoryStore("reg.example/shop");
    const second = await publish(elsewhere);
    expect(second.digest).toBe(first.digest);
    store.calls.length = 0;
    expect((await publish(store)).result).toBe("current");
    expect(store.calls.filter((call) => call.startsWith("write"))).toEqual([]);
  });

  it("lays the user's values over the chart's, and those of werf over all", async () => {
    const store = new MemoryStore("reg.example/shop");
    await publish(store, {
      values: [{ replicas: 3, werf: { name: "forged" } }, { replicas: 5 }],
      repository: "pull.example/team/shop",
    });
    const bundle = await readBundle(store, "v1.2.0");
    expect(values(bundle)).toMatchObject({
      replicas: 5,
      werf: { name: "shop", repo: "pull.example/team/shop" },
    });
  });

  it.each<[string, Partial<PublishBundleInput>, string]>([
    ["by default as in Chart.yaml", {}, "shop"],
    ["as the repository", { helmCompatibleChart: true }, "store"],
    ["as told", { helmCompatibleChart: true, renameChart: "mine" }, "mine"],
  ])("names the chart %s", async (_what, options, name) => {
    const store = new MemoryStore("reg.example/team/store");
    expect((await publish(store, options)).chartName).toBe(name);
  });

  it("does without Chart.yaml, environment and images", async () => {
    const store = new MemoryStore("reg.example/shop");
    const files = { ".helm/templates/a.yaml": "a" };
    const published = await publish(store, { env: "", images: [], tag: "latest" }, files);
    expect(published).toMatchObject({ chartName: "shop", chartVersion: "0.0.0-1700000000-latest" });
    const bundle = await readBundle(store, "latest");
    expect(values(bundle)).toMatchObject({ werf: { image: {}, tag: {} } });
    expect(bundleImages(bundle)).toEqual([]);
  });

  it("takes dependencies from charts/ and from the repository, and follows symlinks", async () => {
    const store = new MemoryStore("reg.example/shop");
    await publish(
      store,
      {},
      {
        ".helm/Chart.yaml":
          "name: shop\ndependencies:\n- {name: db, version: 1.x, repository: 'https://charts.example'}\n- {name: lib, version: '*', repository: 'file://../lib'}\n",
        ".helm/charts/db-1.2.3.tgz": "packed",
        ".helm/files/link.txt": { link: "../../shared.txt" },
        "lib/Chart.yaml": "name: lib\nversion: 1.0.0\n",
        "lib/templates/x.yaml": "x",
        "shared.txt": "shared",
      },
    );
    const bundle = await readBundle(store, "v1.2.0");
    expect(text(bundle, "charts/lib/templates/x.yaml")).toBe("x");
    expect(text(bundle, "charts/db-1.2.3.tgz")).toBe("packed");
    expect(text(bundle, "files/link.txt")).toBe("shared");
  });

  it.each<[string, Parameters<typeof bundleProject>[1], object]>([
    ["no chart", { "a.txt": "a" }, { code: "bundle/chart-missing" }],
    [
      "a remote dependency that isn't there",
      {
        ".helm/Chart.yaml":
          "name: shop\ndependencies:\n- {name: redis, version: 1.x, repository: 'https://charts.example'}\n",
      },
      {
        code: "bundle/dependency-missing",
        message: expect.stringContaining("redis 1.x from https://charts.example"),
      },
    ],
    [
      "a dependency outside of the repository",
      { ".helm/Chart.yaml": "name: shop\ndependencies:\n- {name: x, repository: 'file://../../x'}\n" },
      { code: "bundle/chart-invalid" },
    ],
    [
      "dependencies in a circle",
      { ".helm/Chart.yaml": "name: shop\ndependencies:\n- {name: x, repository: 'file://.'}\n" },
      { code: "bundle/chart-invalid" },
    ],
    [
      "a symlink out of the repository",
      { ".helm/a.yaml": { link: "/etc/passwd" } },
      { code: "bundle/chart-invalid" },
    ],
    [
      "a dependency named like a path",
      { ".helm/Chart.yaml": "name: shop\ndependencies:\n- {name: ../x, repository: 'file://../x'}\n" },
      { code: "bundle/chart-invalid" },
    ],
    ["values that are a list", { ".helm/values.yaml": "- a\n" }, { code: "bundle/yaml-invalid" }],
    ["a name that is a path", { ".helm/Chart.yaml": "name: a/b\n" }, { code: "bundle/chart-name-invalid" }],
  ])("refuses %s and writes nothing", async (_what, files, error) => {
    const store = new MemoryStore("reg.example/shop");
    await expect(publish(store, { images: [] }, files)).rejects.toMatchObject(error);
    expect(store.calls.filter((call) => call.startsWith("write"))).toEqual([]);
  });
});

describe("bundleRoots", () => {
  it("are the images of a bundle, by tag and digest", async () => {
    const store = new MemoryStore("reg.example/shop");
    const images = [putImage(store, "backend"), { ...putImage(store, "app"), name: "" }];
    const { digest } = await publish(store, { images });
    const roots = await bundleRoots(store, { digest });
    expect(roots).toEqual({
      kind: "bundle",
      tags: expect.arrayContaining(["backend-tag", "app-tag"]),
      digests: expect.arrayContaining(images.map((image) => image.digest)),
    });
    expect(await bundleRoots(store, { digest: images[0]!.digest })).toEqual({ kind: "other" });
  });
});
