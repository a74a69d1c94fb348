import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { WerfError } from "../core/errors.js";
import type { DeleteResult } from "./deletion.js";
import { type Digest, digestOf } from "./digest.js";
import { manifestFromJson, type RawManifest } from "./manifest.js";
import { mediaTypes } from "./media-types.js";
import type { Store } from "./store.js";

/** `moved`: the tag is, or became, another manifest than the expected one, and was left alone. */
export type IsolateResult = DeleteResult | { readonly kind: "moved"; readonly digest: Digest };

export const tombstoneAnnotations = {
  /** The digest that the tag had. */
  original: "io.werf.ts.tombstone.digest",
  nonce: "io.werf.ts.tombstone.nonce",
} as const;

const emptyJson = new TextEncoder().encode("{}");

/**
 * Removes one tag where the registry deletes only by digest: a throw-away manifest (a tombstone) takes the
 * tag, and is deleted. The manifest and its other tags stay. There is no compare-and-swap: what is pushed
 * between our look at the tag and our write is lost, so this is not for tags that others move.
 * @throws WerfError `oci/isolate-unfit` where a tag can be deleted by its name, or nothing can be deleted
 */
export async function isolateTag(store: Store, tag: string, expected: Digest): Promise<IsolateResult> {
  const { deleteTag } = await store.deletionRules();
  if (deleteTag !== "isolate") {
    throw new WerfError("oci/isolate-unfit", `${store.address} deletes tags in another way (${deleteTag})`);
  }
  const before = await store.readManifest(tag);
  if (before.kind === "missing") return { kind: "absent" };
  if (before.manifest.digest !== expected) return { kind: "moved", digest: before.manifest.digest };
  const tombstone = await writeTombstone(store, tag, expected);
  const after = await store.statManifest(tag);
  const moved = after.kind === "present" && after.descriptor.digest !== tombstone.digest;
  const result = await deleteTombstone(store, tag, tombstone, before.manifest);
  if (moved) return { kind: "moved", digest: after.descriptor.digest };
  return result.kind === "absent" ? { kind: "deleted" } : result;
}

async function writeTombstone(store: Store, tag: string, original: Digest): Promise<RawManifest> {
  const config = { mediaType: mediaTypes.ociEmpty, digest: digestOf(emptyJson), size: emptyJson.length };
  await store.writeBlob(config, { length: emptyJson.length, open: () => Readable.from([emptyJson]) });
  const tombstone = manifestFromJson(
    {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      artifactType: mediaTypes.tombstone,
      config,
      layers: [config],
      annotations: {
        [tombstoneAnnotations.original]: original,
        [tombstoneAnnotations.nonce]: randomUUID(),
      },
    },
    mediaTypes.ociManifest,
  );
  await store.writeManifest(tombstone, tag);
  return tombstone;
}

/** When it can't be deleted, the tag gets its manifest back: a stage must not end as a tombstone. */
async function deleteTombstone(
  store: Store,
  tag: string,
  tombstone: RawManifest,
  original: RawManifest,
): Promise<DeleteResult> {
  let result: DeleteResult | undefined;
  try {
    result = await store.deleteManifest(tombstone.digest);
    return result;
  } finally {
    if (result === undefined || result.kind === "refused") {
      const now = await store.statManifest(tag);
      if (now.kind === "present" && now.descriptor.digest === tombstone.digest) {
        await store.writeManifest(original, tag);
      }
    }
  }
}
