import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gunzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { WerfError } from "../core/errors.js";
import { type Digest, digestOf } from "../oci/digest.js";
import { tombstoneAnnotations } from "../oci/isolate.js";
import { manifestFromJson, parseManifest, type RawManifest } from "../oci/manifest.js";
import { mediaTypes } from "../oci/media-types.js";
import { formatStageAnnotations } from "./annotations.js";
import { openFactsCache } from "./facts-cache.js";
import { labels } from "./labels.js";
import { recordManifest } from "./record-manifest.js";
import { readStage } from "./stage-reader.js";

const now = new Date("2026-11-22T05:00:00.123Z");

describe("recordManifest", () => {
  it("is an image of Docker's schema 2 with one empty layer and the project's label", () => {
    const record = recordManifest({ project: "shop", labels: { "stage-id": "x" }, now });
    const manifest = parseManifest(record.manifest, "record");
    const config = JSON.parse(Buffer.from(record.config.bytes).toString());
    expect(manifest).toMatchObject({
      kind: "image",
      mediaType: mediaTypes.dockerManifest,
      config: { mediaType: mediaTypes.dockerConfig, digest: record.config.digest },
      layers: [{ mediaType: mediaTypes.dockerLayerGzip, digest: record.layer.digest }],
    });
    expect(digestOf(gunzipSync(record.layer.bytes))).toBe(config.rootfs.diff_ids[0]);
    expect(config).toMatchObject({
      os: "",
      architecture: "",
      config: { Labels: { werf: "shop", "stage-id": "x" } },
    });
    expect(config.history).toHaveLength(1);
    expect(config.created).toMatch(/^2026-11-22T05:00:00\.123\d{6}Z$/);
  });

  it("has a digest of its own, also within one millisecond", () => {
    const digests = Array.from(
      { length: 50 },
      () => recordManifest({ project: "shop", now }).manifest.digest,
    );
    expect(new Set(digests).size).toBeGreaterThan(45);
  });
});

/** What a registry answers, held in memory: enough for a reader. */
function source(manifest: RawManifest, blobs: ReadonlyMap<Digest, Uint8Array> = new Map()) {
  const asked: string[] = [];
  return {
    asked,
    address: "registry.test/app",
    async readManifest(reference: string) {
      asked.push(reference);
      return { kind: "present" as const, manifest };
    },
    async statManifest() {
      return { kind: "missing" as const };
    },
    async statBlob() {
      return { kind: "missing" as const };
    },
    async readBlob({ digest }: { digest: Digest }) {
      asked.push(digest);
      const bytes = blobs.get(digest);
      if (bytes === undefined) throw new WerfError("oci/blob-missing", `${digest} is not there`);
      return Readable.from([Buffer.from(bytes)]);
    },
  };
}

function imageWith(config: Uint8Array, extra: object = {}): RawManifest {
  return manifestFromJson(
    {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, digest: digestOf(config), size: config.length },
      layers: [],
      ...extra,
    },
    mediaTypes.ociManifest,
  );
}

describe("readStage", () => {
  const config = Buffer.from(
    JSON.stringify({
      created: "2026-01-02T03:04:05.000000006Z",
      config: {
        Labels: {
          [labels.project]: "shop",
          [labels.parentStage]: "p",
          [`${labels.dependencyPrefix}1`]: "d",
          [`${labels.importPrefix}base`]: "external-image-alpine",
          [`${labels.importPrefix}src`]: "i",
          [labels.contentDigest]: "c",
        },
      },
    }),
  );
  const description = {
    project: "shop",
    createdMs: Date.parse("2026-01-02T03:04:05Z"),
    parent: "p",
    dependencies: ["d", "i"],
    contentDigest: "c",
  };

  it("takes the labels of werf from the config", async () => {
    const store = source(imageWith(config), new Map([[digestOf(config), config]]));
    expect(await readStage(store, "t")).toMatchObject({
      kind: "present",
      facts: { kind: "image", description },
    });
  });

  it("asks for nothing but the manifest when our annotations are on it", async () => {
    const store = source(imageWith(config, { annotations: formatStageAnnotations(description) }));
    expect(await readStage(store, "t")).toMatchObject({ kind: "present", facts: { description } });
    expect(store.asked).toEqual(["t"]);
  });

  it("says that an image without the project's label tells nothing about itself", async () => {
    const plain = Buffer.from("{}");
    const read = await readStage(source(imageWith(plain), new Map([[digestOf(plain), plain]])), "t");
    expect(read.kind === "present" && "description" in read.facts).toBe(false);
  });

  it("calls an image broken whose config is gone", async () => {
    expect(await readStage(source(imageWith(config)), "t")).toMatchObject({ kind: "broken" });
  });

  it("calls bytes broken that are no manifest", async () => {
    const raw = { ...imageWith(config), bytes: Buffer.from("no json") };
    expect(await readStage(source(raw), "t")).toMatchObject({ kind: "broken" });
  });

  it("recognises a tombstone and what it replaced", async () => {
    const raw = imageWith(config, {
      artifactType: mediaTypes.tombstone,
      annotations: { [tombstoneAnnotations.original]: digestOf("x") },
    });
    expect(await readStage(source(raw), "t")).toMatchObject({ kind: "tombstone", original: digestOf("x") });
  });
});

describe("the cache of facts", () => {
  const homes: string[] = [];
  afterEach(() => Promise.all(homes.splice(0).map((home) => rm(home, { recursive: true }))));
  const facts = {
    digest: digestOf("x"),
    mediaType: mediaTypes.ociManifest,
    kind: "image" as const,
    children: [],
  };

  async function home(): Promise<{ werfHome: string }> {
    homes.push(await mkdtemp(join(tmpdir(), "werf-ts-facts-")));
    return { werfHome: homes[homes.length - 1]! };
  }

  it("keeps what still exists and forgets the rest", async () => {
    const run = await home();
    const cache = await openFactsCache(run, "r/a");
    cache.set("gone", facts);
    cache.set("here", facts);
    await cache.save(new Set(["here"]));
    const again = await openFactsCache(run, "r/a");
    expect(again.get("here")).toEqual(facts);
    expect(again.get("gone")).toBeUndefined();
    expect((await openFactsCache(run, "r/b")).get("here")).toBeUndefined();
  });

  it("takes a damaged file for an empty one, line by line", async () => {
    const run = await home();
    const cache = await openFactsCache(run, "r/a");
    cache.set("here", facts);
    await cache.save(new Set(["here"]));
    const [name] = await readdir(join(run.werfHome, "facts"));
    const file = join(run.werfHome, "facts", name!);
    await writeFile(
      file,
      `{"tag":"evil","facts":{"digest":"no"}}\n{"tag"\n${JSON.stringify({ tag: "here", facts })}\n`,
    );
    const again = await openFactsCache(run, "r/a");
    expect(again.get("here")).toEqual(facts);
    expect(again.get("evil")).toBeUndefined();
  });
});
