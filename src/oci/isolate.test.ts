import { expect, test } from "vitest";
import { MemoryStore } from "../../test/support/memory-store.js";
import type { DeleteResult, DeletionRules } from "./deletion.js";
import { type Digest, digestOf } from "./digest.js";
import { isolateTag, tombstoneAnnotations } from "./isolate.js";
import { manifestFromJson, parseManifest, type RawManifest } from "./manifest.js";
import { mediaTypes } from "./media-types.js";

const config = { mediaType: mediaTypes.ociEmpty, digest: digestOf("{}"), size: 2 };

function image(name: string): RawManifest {
  const value = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config,
    layers: [],
    annotations: { name },
  };
  return manifestFromJson(value, mediaTypes.ociManifest);
}

/** Deletes by digest alone, as distribution 2.8. */
class DigestOnlyStore extends MemoryStore {
  rules: Partial<DeletionRules> = {};
  deletion: ((digest: Digest) => DeleteResult | undefined) | undefined;
  onTombstone: () => void = () => undefined;

  override async deletionRules(): Promise<DeletionRules> {
    return { ...(await super.deletionRules()), deleteTag: "isolate", ...this.rules };
  }
  override async writeManifest(manifest: RawManifest, tag?: string): Promise<void> {
    await super.writeManifest(manifest, tag);
    if (Buffer.from(manifest.bytes).includes(mediaTypes.tombstone)) this.onTombstone();
  }
  override async deleteManifest(digest: Digest): Promise<DeleteResult> {
    return this.deletion?.(digest) ?? super.deleteManifest(digest);
  }
}

async function withTags(...tags: string[]): Promise<{ store: DigestOnlyStore; original: RawManifest }> {
  const store = new DigestOnlyStore("registry.example/app");
  store.blobs.set(config.digest, Buffer.from("{}"));
  const original = image("original");
  for (const tag of tags) await store.writeManifest(original, tag);
  return { store, original };
}

test("the tag goes; its manifest and the other tags stay", async () => {
  const { store, original } = await withTags("goes", "stays");
  let tombstone: RawManifest | undefined;
  store.deletion = (digest) => {
    tombstone = store.manifests.get(digest);
    return undefined;
  };
  expect(await isolateTag(store, "goes", original.digest)).toEqual({ kind: "deleted" });
  expect([...store.tags]).toEqual([["stays", original.digest]]);
  expect([...store.manifests.keys()]).toEqual([original.digest]);
  expect(tombstone && parseManifest(tombstone, "t")).toMatchObject({
    artifactType: mediaTypes.tombstone,
    annotations: { [tombstoneAnnotations.original]: original.digest },
  });
});

test("a tag that isn't there is absent, and one that is something else is left alone", async () => {
  const { store } = await withTags("v1");
  const before = [...store.tags];
  expect(await isolateTag(store, "gone", digestOf("x"))).toEqual({ kind: "absent" });
  expect(await isolateTag(store, "v1", digestOf("x"))).toEqual({ kind: "moved", digest: before[0]?.[1] });
  expect([...store.tags]).toEqual(before);
});

test("a tag that moves meanwhile keeps what it moved to", async () => {
  const { store, original } = await withTags("v1");
  const newer = image("newer");
  store.onTombstone = () => {
    store.manifests.set(newer.digest, newer);
    store.tags.set("v1", newer.digest);
  };
  expect(await isolateTag(store, "v1", original.digest)).toEqual({ kind: "moved", digest: newer.digest });
  expect(store.tags.get("v1")).toBe(newer.digest);
  expect(new Set(store.manifests.keys())).toEqual(new Set([original.digest, newer.digest]));
});

test("when the throw-away can't be deleted, the tag gets its manifest back", async () => {
  const refused = { kind: "refused", reason: "unsupported", answer: "405", hint: "" } as const;
  const { store, original } = await withTags("v1");
  store.deletion = () => refused;
  expect(await isolateTag(store, "v1", original.digest)).toEqual(refused);
  expect(store.tags.get("v1")).toBe(original.digest);
  store.deletion = () => {
    throw new Error("the connection broke");
  };
  await expect(isolateTag(store, "v1", original.digest)).rejects.toThrow("the connection broke");
  expect(store.tags.get("v1")).toBe(original.digest);
});

test.each(["native", "none"] as const)("where tags go otherwise (%s) nothing is done", async (deleteTag) => {
  const { store, original } = await withTags("v1");
  store.rules = { deleteTag };
  await expect(isolateTag(store, "v1", original.digest)).rejects.toMatchObject({ code: "oci/isolate-unfit" });
  expect(store.tags.get("v1")).toBe(original.digest);
});
