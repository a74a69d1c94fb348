import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MemoryStore } from "../../../test/support/memory-store.js";
import { type TestRun, testRun } from "../../../test/support/run-context.js";
import { WerfError } from "../../core/errors.js";
import type { Descriptor } from "../descriptor.js";
import { type Digest, digestOf } from "../digest.js";
import { descriptorOf, type RawManifest } from "../manifest.js";
import { mediaTypes } from "../media-types.js";
import { copyImages } from "./copy-images.js";
import { copyPlanLines } from "./plan.js";
import { planCopy } from "./planner.js";

let run: TestRun;
beforeEach(async () => {
  run = await testRun();
});
afterEach(() => run.dispose());

function putImage(
  store: MemoryStore,
  name: string,
  layers: readonly Descriptor[],
  tag?: string,
): RawManifest {
  const config = store.putBlob(`{"name":"${name}"}`, mediaTypes.ociConfig);
  return store.putManifest({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers }, tag);
}

function putIndex(store: MemoryStore, children: readonly RawManifest[], tag?: string): RawManifest {
  return store.putManifest(
    { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: children.map(descriptorOf) },
    tag,
  );
}

const layer = (store: MemoryStore, content: string): Descriptor =>
  store.putBlob(content, mediaTypes.ociLayerGzip);

/** Two platforms that share a layer, under the tag `v1`. */
function multiPlatform(store: MemoryStore): RawManifest {
  const base = layer(store, "base".repeat(20_000));
  const amd64 = putImage(store, "amd64", [base, layer(store, "amd64 code")]);
  const arm64 = putImage(store, "arm64", [base, layer(store, "arm64 code")]);
  return putIndex(store, [amd64, arm64], "v1");
}

describe("copyImages", () => {
  it("copies an index with its children, bytes unchanged, each blob once", async () => {
    const source = new MemoryStore("a.example/app");
    const destination = new MemoryStore("b.example/app");
    const index = multiPlatform(source);
    const result = await copyImages(run, [{ source, reference: "v1", destination, tags: ["v1", "latest"] }]);
    expect(result.manifests).toEqual({ copied: 3, skipped: 0 });
    expect(result.blobs).toEqual({ uploaded: 5, mounted: 0, skipped: 0 });
    expect(destination.tags).toEqual(
      new Map([
        ["v1", index.digest],
        ["latest", index.digest],
      ]),
    );
    expect(destination.blobs).toEqual(source.blobs);
    expect(destination.manifests).toEqual(source.manifests);
    expect(result.images[0]).toMatchObject({ digest: index.digest, result: "copied" });
    const base = digestOf("base".repeat(20_000));
    expect(source.calls.filter((call) => call === `readBlob ${base}`)).toHaveLength(1);
  });

  it("writes under the tags last, and nothing twice", async () => {
    const source = new MemoryStore("a.example/app");
    const destination = new MemoryStore("b.example/app");
    multiPlatform(source);
    await copyImages(run, [{ source, reference: "v1", destination, tags: ["v1"] }]);
    const writes = destination.calls.filter((call) => call.startsWith("write"));
    expect(writes).toHaveLength(5 + 3);
    expect(writes.at(-1)).toBe("writeManifest v1");
  });

  it("sends nothing when the tag is right", async () => {
    const source = new MemoryStore("a.example/app");
    const destination = new MemoryStore("b.example/app");
    multiPlatform(source);
    const requests = [{ source, reference: "v1", destination, tags: ["v1"] }];
    await copyImages(run, requests);
    destination.calls.length = 0;
    source.calls.length = 0;
    const again = await copyImages(run, requests);
    expect(destination.calls).toEqual(["statManifest v1"]);
    expect(source.calls).toEqual(["statManifest v1"]);
    expect(again).toMatchObject({ manifests: { copied: 0, skipped: 1 }, bytes: 0 });
    expect(again.images[0]?.result).toBe("current");
  });

  it("only moves the tag when the manifest is there", async () => {
    const source = new MemoryStore("a.example/app");
    const destination = new MemoryStore("b.example/app");
    const index = multiPlatform(source);
    await copyImages(run, [{ source, reference: index.digest, destination, tags: [] }]);
    expect(destination.tags.size).toBe(0);
    destination.calls.length = 0;
    await copyImages(run, [{ source, reference: "v1", destination, tags: ["v1"] }]);
    expect(destination.calls).toEqual([
      "statManifest v1",
      `statManifest ${index.digest}`,
      "writeManifest v1",
    ]);
  });

  it("copies what many images share once", async () => {
    const source = new MemoryStore("a.example/app");
    const destination = new MemoryStore("b.example/app");
    const base = layer(source, "shared");
    const requests = Array.from({ length: 30 }, (_, i) => {
      putImage(source, `image ${i}`, [base], `t${i}`);
      return { source, reference: `t${i}`, destination, tags: [`t${i}`] };
    });
    const result = await copyImages(run, requests);
    expect(result.blobs.uploaded).toBe(31);
    expect(result.bytes).toBe([...source.blobs.values()].reduce((sum, b) => sum + b.length, 0));
  });

  it("mounts blobs within one place and sends those that can't be mounted", async () => {
    const source = new MemoryStore("a.example/app", "a.example");
    const mounts: Digest[] = [];
    const destination = Object.assign(new MemoryStore("a.example/copy", "a.example"), {
      async mountBlob(blob: { digest: Digest }, from: unknown): Promise<boolean> {
        expect(from).toBe(source);
        mounts.push(blob.digest);
        const bytes = source.blobs.get(blob.digest);
        if (bytes === undefined || bytes.length < 1000) return false;
        destination.blobs.set(blob.digest, bytes);
        return true;
      },
    });
    multiPlatform(source);
    const result = await copyImages(run, [{ source, reference: "v1", destination, tags: ["v1"] }]);
    expect(mounts).toHaveLength(5);
    expect(result.blobs).toEqual({ uploaded: 4, mounted: 1, skipped: 0 });
  });

  it("leaves foreign layers where they are, and takes layers with urls along when the source has them", async () => {
    const source = new MemoryStore("a.example/app");
    const destination = new MemoryStore("b.example/app");
    const foreign = { ...layer(source, "windows"), mediaType: mediaTypes.dockerForeignLayerGzip };
    const absent = { ...layer(source, "absent"), urls: ["https://elsewhere.example/absent"] };
    const held = { ...layer(source, "held"), urls: ["https://elsewhere.example/held"] };
    source.blobs.delete(absent.digest);
    putImage(source, "win", [foreign, absent, held], "win");
    await copyImages(run, [{ source, reference: "win", destination, tags: ["win"] }]);
    expect(destination.blobs.has(foreign.digest)).toBe(false);
    expect(destination.blobs.has(absent.digest)).toBe(false);
    expect(destination.blobs.has(held.digest)).toBe(true);
  });

  it("copies the blobs that BuildKit lists in an index", async () => {
    const source = new MemoryStore("a.example/cache");
    const destination = new MemoryStore("b.example/cache");
    const config = source.putBlob("{}", "application/vnd.buildkit.cacheconfig.v0");
    source.putManifest(
      {
        schemaVersion: 2,
        mediaType: mediaTypes.ociIndex,
        manifests: [layer(source, "cache layer"), config],
      },
      "cache",
    );
    await copyImages(run, [{ source, reference: "cache", destination, tags: ["cache"] }]);
    expect(destination.blobs).toEqual(source.blobs);
  });

  it("sends blobs again when the registry says at the end that it doesn't know one", async () => {
    const source = new MemoryStore("a.example/app", "a.example");
    // Claims every mount and does none, as a registry does whose blobs were just collected.
    const destination = Object.assign(new MemoryStore("a.example/copy", "a.example"), {
      mountBlob: async (): Promise<boolean> => true,
    });
    putImage(source, "app", [layer(source, "code")], "v1");
    await copyImages(run, [{ source, reference: "v1", destination, tags: ["v1"] }]);
    expect(destination.blobs).toEqual(source.blobs);
    expect(destination.calls.filter((c) => c === "writeManifest v1")).toHaveLength(2);
  });

  it("mends what is missing below a manifest on request", async () => {
    const source = new MemoryStore("a.example/app");
    const destination = new MemoryStore("b.example/app");
    const index = multiPlatform(source);
    const requests = [{ source, reference: "v1", destination, tags: ["v1"] }];
    await copyImages(run, requests);
    const child = [...source.manifests.keys()].find((digest) => digest !== index.digest)!;
    destination.manifests.delete(child);
    await copyImages(run, requests, { recheck: true });
    expect(destination.manifests.has(child)).toBe(true);
  });

  it("takes signatures and other referrers along, also those of children and of referrers", async () => {
    const source = new MemoryStore("a.example/app");
    const destination = new MemoryStore("b.example/app");
    const index = multiPlatform(source);
    const child = [...source.manifests.values()][0]!;
    const attach = (subject: RawManifest, what: string): RawManifest =>
      source.putManifest({
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        artifactType: "application/vnd.example.sbom",
        config: source.putBlob("{}", mediaTypes.ociEmpty),
        layers: [source.putBlob(what, "text/plain")],
        subject: descriptorOf(subject),
      });
    const sbom = attach(child, "sbom of a child");
    const signature = attach(sbom, "signature of the sbom");
    const cosignTag = `${index.digest.replace(":", "-")}.sig`;
    const cosign = putImage(source, "cosign", [layer(source, "cosign")], cosignTag);
    const result = await copyImages(run, [{ source, reference: "v1", destination, tags: ["v1"] }], {
      referrers: true,
    });
    expect(destination.manifests.has(sbom.digest)).toBe(true);
    expect(destination.manifests.has(signature.digest)).toBe(true);
    expect(destination.tags.get(cosignTag)).toBe(cosign.digest);
    expect(result.images).toHaveLength(4);
  });

  it("doesn't follow referrers in a circle", async () => {
    const source = new MemoryStore("a.example/app");
    const destination = new MemoryStore("b.example/app");
    const one = putImage(source, "one", [], "one");
    const two = putImage(source, "two", []);
    source.listReferrers = async function* (subject: Digest): AsyncGenerator<Descriptor> {
      yield descriptorOf(subject === one.digest ? two : one);
    };
    await copyImages(run, [{ source, reference: "one", destination, tags: ["one"] }], { referrers: true });
    expect(destination.manifests.size).toBe(2);
  });

  it("tells how far it is", async () => {
    const source = new MemoryStore("a.example/app");
    const destination = new MemoryStore("b.example/app");
    multiPlatform(source);
    destination.putBlob("amd64 code", mediaTypes.ociLayerGzip);
    const result = await copyImages(run, [{ source, reference: "v1", destination, tags: ["v1"] }]);
    const started = run.events.find((event) => event.code === "task/started");
    const moved = run.events.reduce((sum, e) => sum + (e.code === "task/progress" ? e.bytes : 0), 0);
    expect(started).toMatchObject({ title: "Copy a.example/app:v1 to b.example/app", totalBytes: moved });
    expect(run.events.at(-1)).toMatchObject({
      code: "task/ended",
      result: "done",
      detail: "blobs: 4 sent, 1 there",
      bytes: moved - "amd64 code".length,
    });
    expect(result.blobs.skipped).toBe(1);
    expect(result.bytes).toBe(moved - "amd64 code".length);
  });
});

describe("copyImages that fails", () => {
  it.each(["v2", digestOf("nothing")])("names what isn't there: %s", async (reference) => {
    const source = new MemoryStore("a.example/app");
    const destination = new MemoryStore("b.example/app");
    await expect(copyImages(run, [{ source, reference, destination, tags: [] }])).rejects.toMatchObject({
      code: "oci/manifest-missing",
      message: expect.stringContaining(reference),
    });
  });

  it("refuses an index of which a child is missing, before it writes anything", async () => {
    const source = new MemoryStore("a.example/app");
    const destination = new MemoryStore("b.example/app");
    const index = multiPlatform(source);
    const child = [...source.manifests.keys()].find((digest) => digest !== index.digest)!;
    source.manifests.delete(child);
    const copy = copyImages(run, [{ source, reference: "v1", destination, tags: ["v1"] }]);
    await expect(copy).rejects.toMatchObject({ code: "oci/manifest-missing" });
    expect(destination.calls.some((call) => call.startsWith("write"))).toBe(false);
  });

  it("refuses indexes nested without end", async () => {
    const source = new MemoryStore("a.example/app");
    const destination = new MemoryStore("b.example/app");
    let top = putImage(source, "app", []);
    for (let depth = 0; depth < 12; depth++) top = putIndex(source, [top], "deep");
    const copy = copyImages(run, [{ source, reference: "deep", destination, tags: [] }]);
    await expect(copy).rejects.toMatchObject({ code: "oci/index-too-deep" });
  });

  it("says that the source failed when its bytes are damaged, and leaves no tag", async () => {
    const source = new MemoryStore("a.example/app");
    const destination = new MemoryStore("b.example/app");
    const damaged = layer(source, "good bytes");
    putImage(source, "app", [damaged], "v1");
    source.blobs.set(damaged.digest, Buffer.from("evil bytes"));
    const copy = copyImages(run, [{ source, reference: "v1", destination, tags: ["v1"] }]);
    await expect(copy).rejects.toMatchObject({
      code: "oci/digest-mismatch",
      message: expect.stringMatching(/^reading from a\.example\/app: /),
    });
    expect(destination.tags.size).toBe(0);
    expect(destination.manifests.size).toBe(0);
    expect(run.events.at(-1)).toMatchObject({ code: "task/ended", result: "failed" });
  });

  it("says that the destination failed, keeps the code, and ends what is under way", async () => {
    const source = new MemoryStore("a.example/app");
    const destination = new MemoryStore("b.example/app");
    const endless = layer(source, "endless");
    const full = layer(source, "full");
    putImage(source, "app", [endless, full], "v1");
    let stuck: Readable | undefined;
    const readBlob = source.readBlob.bind(source);
    source.readBlob = async (blob) => {
      if (blob.digest !== endless.digest) return readBlob(blob);
      stuck = new Readable({ read: () => undefined });
      return stuck;
    };
    const writeBlob = destination.writeBlob.bind(destination);
    destination.writeBlob = async (blob, body) => {
      if (blob.digest !== full.digest) return writeBlob(blob, body);
      const content = await body.open();
      content.destroy(new Error("connection reset"));
      throw new WerfError("registry/quota", "the project is full", { hint: "ask its owner" });
    };
    const copy = copyImages(run, [{ source, reference: "v1", destination, tags: ["v1"] }]);
    await expect(copy).rejects.toMatchObject({
      code: "registry/quota",
      message: "writing to b.example/app: the project is full",
      hint: "ask its owner",
    });
    expect(stuck?.destroyed).toBe(true);
    expect(destination.manifests.size).toBe(0);
  });

  it("stops when the run is interrupted", async () => {
    const controller = new AbortController();
    const source = new MemoryStore("a.example/app");
    const destination = new MemoryStore("b.example/app");
    multiPlatform(source);
    const writeBlob = destination.writeBlob.bind(destination);
    destination.writeBlob = async (blob, body) => {
      controller.abort();
      return writeBlob(blob, body);
    };
    const copy = copyImages(
      { signal: controller.signal, emit: run.emit },
      [{ source, reference: "v1", destination, tags: ["v1"] }],
      { blobConcurrency: 1 },
    );
    await expect(copy).rejects.toMatchObject({ name: "AbortError" });
    expect(destination.tags.size).toBe(0);
    expect(destination.blobs.size).toBeLessThan(5);
  });
});

describe("planCopy", () => {
  it("says what would be done and writes nothing", async () => {
    const source = new MemoryStore("a.example/app");
    const destination = new MemoryStore("b.example/app");
    const index = multiPlatform(source);
    const old = putImage(destination, "old", [], "v1");
    const plan = await planCopy(run, [{ source, reference: "v1", destination, tags: ["v1", "v2"] }]);
    const lines = copyPlanLines(plan);
    expect(JSON.parse(JSON.stringify(lines))).toEqual(lines);
    expect(lines.map((line) => line.action)).toEqual([
      ...Array.from({ length: 5 }, () => "copy-blob"),
      ...Array.from({ length: 3 }, () => "write-manifest"),
      "write-tag",
      "write-tag",
    ]);
    expect(lines.at(-2)).toEqual({
      action: "write-tag",
      from: "a.example/app",
      to: "b.example/app",
      digest: index.digest,
      tag: "v1",
      reason: `the tag points at ${old.digest}`,
    });
    expect(destination.calls.filter((call) => call.startsWith("write"))).toEqual([]);
  });
});
