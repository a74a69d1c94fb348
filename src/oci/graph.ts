import type { Descriptor } from "./descriptor.js";
import type { Manifest } from "./manifest.js";
import { isManifestType, mediaTypes } from "./media-types.js";

/** How deep indexes may lie in indexes; deeper ones are refused as hostile. */
export const maxIndexDepth = 8;

/**
 * The manifests that a manifest is made of, in its order: those of an index. A subject isn't one: the arrow
 * of a referrer points from the referrer to its subject.
 */
export function childrenOf(manifest: Manifest): readonly Descriptor[] {
  return manifest.kind === "index" ? manifest.manifests.filter((d) => isManifestType(d.mediaType)) : [];
}

/**
 * The blobs that a manifest is made of, each digest once: config and layers of an image, and what an index
 * lists that is no manifest (BuildKit keeps the layers of its cache that way).
 */
export function blobsOf(manifest: Manifest): readonly Descriptor[] {
  const all =
    manifest.kind === "image"
      ? [manifest.config, ...manifest.layers]
      : manifest.kind === "index"
        ? manifest.manifests.filter((d) => !isManifestType(d.mediaType))
        : [];
  return [...new Map(all.map((d) => [d.digest, d])).values()];
}

const nonDistributable = "application/vnd.oci.image.layer.nondistributable.";

/**
 * Whether a layer must not be handed on: Docker's foreign layers and the non-distributable ones of layer.md in
 * the OCI image specification. Registries take the manifest without them.
 */
export function isForeignLayer(descriptor: Descriptor): boolean {
  return (
    descriptor.mediaType === mediaTypes.dockerForeignLayerGzip ||
    descriptor.mediaType.startsWith(nonDistributable)
  );
}
