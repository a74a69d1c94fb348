import { mkdir, readdir, readFile, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { putBlob, putImage, putIndex } from "../../../test/contract/layout-content.js";
import { MemoryStore } from "../../../test/support/memory-store.js";
import { type TestRun, testRun } from "../../../test/support/run-context.js";
import { copyImages } from "../copy/copy-images.js";
import type { Descriptor } from "../descriptor.js";
import { type Digest, digestOf, hexOf } from "../digest.js";
import { descriptorOf, manifestFromJson, type RawManifest } from "../manifest.js";
import { mediaTypes } from "../media-types.js";
import { openLayoutDirectory } from "./layout-directory.js";

let run: TestRun;
let root: string;
beforeEach(async () => {
  run = await testRun();
  root = join(run.cwd, "layout");
});
afterEach(() => run.dispose());

const blobFile = (digest: Digest): string => join(root, "blobs", "sha256", hexOf(digest));
const indexOf = async (): Promise<{ manifests: Descriptor[]; [field: string]: unknown }> =>
  JSON.parse(await readFile(join(root, "index.json"), "utf8"));
const named = (entries: readonly Descriptor[]): string[] =>
  entries.map((d) => d.annotations?.["org.opencontainers.image.ref.name"] ?? d.digest);

describe("openLayoutDirectory to write", () => {
  it("makes a layout as the standard wants it, and nothing else", async () => {
    const store = await openLayoutDirectory(run, "layout", "write");
    expect([store.address, store.place]).toEqual(["oci:layout", root]);
    const image = await putImage(store, "app", "v1");
    await store.close("done");
    expect((await readdir(root)).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
    expect(await readFile(join(root, "oci-layout"), "utf8")).toBe('{"imageLayoutVersion":"1.0.0"}');
    expect(await indexOf()).toEqual({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [{ ...descriptorOf(image), annotations: { "org.opencontainers.image.ref.name": "v1" } }],
    });
    expect(await readdir(join(root, "blobs"))).toEqual(["sha256"]);
    expect(await readdir(join(root, "blobs", "sha256"))).toHaveLength(4);
  });

  it("lists what has a tag and what no index contains", async () => {
    const store = await openLayoutDirectory(run, "layout", "write");
    const [one, two] = [await putImage(store, "one"), await putImage(store, "two", "two")];
    expect(new Set(named(store.listEntries()))).toEqual(new Set([one.digest, "two"]));
    const index = await putIndex(store, [one, two]);
    expect(new Set(named(store.listEntries()))).toEqual(new Set([index.digest, "two"]));
    // Writing it again doesn't list it again.
    await store.writeManifest(one);
    await store.deleteTag("two");
    expect(new Set(named(store.listEntries()))).toEqual(new Set([index.digest, two.digest]));
    expect(await store.statManifest(one.digest)).toMatchObject({ kind: "present" });
  });

  it("doesn't delete a child of an index, and keeps the children of an index that goes", async () => {
    const store = await openLayoutDirectory(run, "layout", "write");
    const [one, two] = [await putImage(store, "one"), await putImage(store, "two")];
    const index = await putIndex(store, [one, two], "multi");
    expect(await store.deleteManifest(one.digest)).toMatchObject({ kind: "refused", reason: "in-use" });
    expect(await store.deleteManifest(index.digest)).toEqual({ kind: "deleted" });
    expect(named(store.listEntries())).toEqual([one.digest, two.digest].sort());
    await store.close("done");
    const again = await openLayoutDirectory(run, "layout", "read");
    expect(await again.readManifest(one.digest)).toMatchObject({
      manifest: { ...one, bytes: Buffer.from(one.bytes) },
    });
  });

  it("removes the blobs that nothing needs any more when it is closed", async () => {
    const store = await openLayoutDirectory(run, "layout", "write");
    const condemned = await putImage(store, "condemned", "v1");
    await putImage(store, "kept", "v2");
    const back = await putImage(store, "back", "v3");
    for (const { digest } of [condemned, back])
      expect(await store.deleteManifest(digest)).toEqual({ kind: "deleted" });
    await putImage(store, "back", "v3");
    await store.close("done");
    const left = await readdir(join(root, "blobs", "sha256"));
    const expected = ["base layer", "kept", '{"name":"kept"}', "back", '{"name":"back"}'].map((t) =>
      hexOf(digestOf(t)),
    );
    expect(left).toEqual(expect.arrayContaining(expected));
    expect(left).toHaveLength(expected.length + 2);
  });

  it("keeps all changes when many come at once, and those of another process", async () => {
    const store = await openLayoutDirectory(run, "layout", "write");
    const other = await openLayoutDirectory(run, "layout", "write");
    const image = await putImage(store, "app", "first");
    await putImage(other, "app", "other");
    const tags = Array.from({ length: 50 }, (_, i) => `t${i}`);
    await Promise.all(tags.map((tag) => store.writeManifest(image, tag)));
    await store.deleteTag("t7");
    await Promise.all([store.close("done"), other.close("done")]);
    expect(named((await indexOf()).manifests).sort()).toEqual(
      ["first", "other", ...tags.filter((tag) => tag !== "t7")].sort(),
    );
  });

  it("goes on after a run that was killed while it wrote the index", async () => {
    const sleeps: number[] = [];
    const clock = { now: () => new Date(), sleep: async (ms: number) => void sleeps.push(ms) };
    const store = await openLayoutDirectory({ ...run, clock }, "layout", "write");
    await writeFile(join(root, "index.json.werf-ts-lock"), "");
    await putImage(store, "app", "v1");
    await store.close("done");
    expect(named((await indexOf()).manifests)).toEqual(["v1"]);
    expect(sleeps.length).toBeGreaterThan(100);
    expect((await readdir(root)).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
  });

  it("fails when it can't keep the index", async () => {
    const store = await openLayoutDirectory(run, "layout", "write");
    await putImage(store, "app", "v1");
    await rm(root, { recursive: true, maxRetries: 5 });
    await expect(store.deleteTag("v1").then(() => store.close("done"))).rejects.toMatchObject({
      code: "ENOENT",
    });
  });

  it("keeps what others wrote into the index", async () => {
    await mkdir(root);
    await writeFile(join(root, "oci-layout"), '{"imageLayoutVersion": "1.0.0"}');
    await writeFile(join(root, "index.json"), '{"schemaVersion":2,"annotations":{"a":"b"},"manifests":[]}');
    const store = await openLayoutDirectory(run, "layout", "write");
    await putImage(store, "app", "v1");
    await store.close("done");
    expect(await indexOf()).toMatchObject({
      annotations: { a: "b" },
      manifests: [{ size: expect.any(Number) }],
    });
  });

  it("removes what killed runs left, and leaves what others write", async () => {
    const store = await openLayoutDirectory(run, "layout", "write");
    for (const name of [".werf-ts-partial-old", ".werf-ts-partial-new"]) await mkdir(join(root, name));
    await utimes(join(root, ".werf-ts-partial-old"), 0, 0);
    await store.close("failed");
    expect((await readdir(root)).filter((name) => name.startsWith("."))).toEqual([".werf-ts-partial-new"]);
  });

  it("refuses a directory with other things in it", async () => {
    await mkdir(root);
    await writeFile(join(root, "notes.txt"), "");
    await expect(openLayoutDirectory(run, "layout", "write")).rejects.toMatchObject({
      code: "oci/layout-not-empty",
    });
    expect(await readdir(root)).toEqual(["notes.txt"]);
  });

  it("takes a whole graph from another store, referrers included", async () => {
    const source = new MemoryStore("registry.example/app");
    const image = await putImage(source, "app");
    const index = await putIndex(source, [image], "v1");
    const signature = manifestFromJson(
      {
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        artifactType: "application/vnd.example.signature",
        config: await putBlob(source, "{}", mediaTypes.ociEmpty),
        layers: [await putBlob(source, "signed", "text/plain")],
        subject: descriptorOf(image),
      },
      mediaTypes.ociManifest,
    );
    await source.writeManifest(signature);
    const destination = await openLayoutDirectory(run, "layout", "write");
    await copyImages(run, [{ source, reference: "v1", destination, tags: ["v1"] }], { referrers: true });
    await destination.close("done");
    const store = await openLayoutDirectory(run, "layout", "read");
    expect(await store.statManifest("v1")).toEqual({ kind: "present", descriptor: descriptorOf(index) });
    const referrers: Descriptor[] = [];
    for await (const descriptor of store.listReferrers(image.digest)) referrers.push(descriptor);
    expect(referrers).toEqual([
      { ...descriptorOf(signature), artifactType: "application/vnd.example.signature" },
    ]);
    expect(store.listEntries().map((d) => d.digest)).toEqual([index.digest, signature.digest]);
  });
});

describe("openLayoutDirectory to read", () => {
  async function prepared(): Promise<RawManifest> {
    const store = await openLayoutDirectory(run, "layout", "write");
    const image = await putImage(store, "app", "v1");
    await store.close("done");
    return image;
  }

  it("writes nothing", async () => {
    const image = await prepared();
    const store = await openLayoutDirectory(run, "layout", "read");
    const blob = { digest: image.digest, size: image.bytes.length };
    const readOnly = expect.objectContaining({ code: "oci/layout-read-only" });
    await expect(store.writeManifest(image, "v2")).rejects.toEqual(readOnly);
    await expect(store.writeBlob(blob, { open: () => Readable.from([]) })).rejects.toEqual(readOnly);
    await expect(store.deleteTag("v1")).rejects.toEqual(readOnly);
    await expect(store.deleteManifest(image.digest)).rejects.toEqual(readOnly);
    expect(await store.deletionRules()).toMatchObject({ deleteTag: "none", deleteManifest: "none" });
  });

  it.each([
    ["nothing", undefined, "no oci-layout"],
    ["another version", { "oci-layout": '{"imageLayoutVersion":"2.0.0"}' }, '"2.0.0"'],
    ["no index", { "oci-layout": '{"imageLayoutVersion":"1.0.0"}' }, "no index.json"],
    ["a broken index", { "oci-layout": '{"imageLayoutVersion":"1.0.0"}', "index.json": "{" }, "not JSON"],
    [
      "an index without manifests",
      { "oci-layout": '{"imageLayoutVersion":"1.0.0"}', "index.json": "{}" },
      "schemaVersion 2",
    ],
    [
      "a digest that leads elsewhere",
      {
        "oci-layout": '{"imageLayoutVersion":"1.0.0"}',
        "index.json":
          '{"schemaVersion":2,"manifests":[{"mediaType":"a","size":1,"digest":"sha256:../../../etc/passwd"}]}',
      },
      "not a digest",
    ],
  ])("refuses a directory with %s", async (_what, files, text) => {
    if (files !== undefined) await mkdir(root);
    for (const [name, content] of Object.entries(files ?? {})) await writeFile(join(root, name), content);
    const error = await openLayoutDirectory(run, "layout", "read").catch((e: unknown) => e);
    expect(error).toMatchObject({ code: expect.stringMatching(/^oci\/(layout|manifest)-invalid$/) });
    const { message, hint } = error as { message: string; hint?: string };
    expect(`${message} ${hint}`).toContain(text);
  });

  it("says so when a manifest is gone, cut or changed", async () => {
    const image = await prepared();
    const store = await openLayoutDirectory(run, "layout", "read");
    const bytes = Buffer.from(image.bytes);
    bytes.write("evil", 20);
    await writeFile(blobFile(image.digest), bytes);
    await expect(store.readManifest("v1")).rejects.toMatchObject({ code: "oci/digest-mismatch" });
    await truncate(blobFile(image.digest), 10);
    await expect(store.readManifest("v1")).rejects.toMatchObject({ code: "oci/digest-mismatch" });
    await expect(store.statManifest("v1")).rejects.toMatchObject({ code: "oci/digest-mismatch" });
    await rm(blobFile(image.digest));
    await expect(store.readManifest("v1")).rejects.toMatchObject({ code: "oci/blob-missing" });
    await expect(store.statManifest("v1")).rejects.toMatchObject({ code: "oci/blob-missing" });
  });

  it("verifies blobs while they are read", async () => {
    await prepared();
    const store = await openLayoutDirectory(run, "layout", "read");
    const digest = digestOf("base layer");
    await writeFile(blobFile(digest), "evil layer");
    await expect(buffer(await store.readBlob({ digest }))).rejects.toMatchObject({
      code: "oci/digest-mismatch",
    });
    await rm(blobFile(digest));
    await expect(store.readBlob({ digest })).rejects.toMatchObject({ code: "oci/blob-missing" });
  });

  it("reads the index of a single platform, whose other children aren't there", async () => {
    const writer = await openLayoutDirectory(run, "layout", "write");
    const [here, gone] = [await putImage(writer, "here"), await putImage(writer, "gone")];
    const index = await putIndex(writer, [gone, here], "v1");
    await writer.close("done");
    await rm(blobFile(gone.digest));
    const store = await openLayoutDirectory(run, "layout", "read");
    expect(await store.statManifest(index.digest)).toMatchObject({ kind: "present" });
    expect(await store.statManifest(here.digest)).toMatchObject({ kind: "present" });
    expect(await store.statManifest(gone.digest)).toEqual({ kind: "missing" });
  });

  it("asks which one is meant when two manifests have one tag", async () => {
    const writer = await openLayoutDirectory(run, "layout", "write");
    const images = [await putImage(writer, "one", "v1"), await putImage(writer, "two", "v2")];
    await writer.close("done");
    const text = await readFile(join(root, "index.json"), "utf8");
    await writeFile(join(root, "index.json"), text.replace('"v2"', '"v1"'));
    const store = await openLayoutDirectory(run, "layout", "read");
    await expect(store.readManifest("v1")).rejects.toMatchObject({
      code: "oci/layout-ambiguous-tag",
      hint: expect.stringContaining(images[1]?.digest ?? ""),
    });
    for (const image of images)
      expect(await store.readManifest(image.digest)).toMatchObject({
        manifest: { ...image, bytes: Buffer.from(image.bytes) },
      });
  });

  it("leaves every file as it was", async () => {
    await prepared();
    const before = await stat(join(root, "index.json"));
    const store = await openLayoutDirectory(run, root, "read");
    for await (const tag of store.listTags()) expect(tag).toBe("v1");
    await store.close("done");
    expect((await stat(join(root, "index.json"))).mtimeMs).toBe(before.mtimeMs);
  });
});
