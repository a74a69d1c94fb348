import type { Descriptor } from "../../oci/descriptor.js";
import { digestOf } from "../../oci/digest.js";
import type { ImageConfig } from "../../oci/image-config.js";
import { manifestFromJson, type RawManifest } from "../../oci/manifest.js";
import { mediaTypes } from "../../oci/media-types.js";
import type { Platform } from "../../oci/platform.js";
import type { BuiltImage } from "../engines/engine.js";

/** Docker's layer types are the same bytes under another name; one image speaks one language. */
const ociLayerType: Readonly<Record<string, string>> = {
  [mediaTypes.dockerLayerGzip]: mediaTypes.ociLayerGzip,
};

export interface FinishedImage {
  readonly manifest: RawManifest;
  readonly config: { readonly descriptor: Descriptor; readonly bytes: Uint8Array };
}

/** The manifest and config of a built image, as they will be published. Pure: same input, same bytes. */
export function finishImage(
  built: BuiltImage,
  facts: { readonly created: Date; readonly annotations: Readonly<Record<string, string>> },
): FinishedImage {
  const config: ImageConfig = { created: facts.created.toISOString(), ...built.config };
  const bytes = new TextEncoder().encode(JSON.stringify(config));
  const descriptor: Descriptor = {
    mediaType: mediaTypes.ociConfig,
    digest: digestOf(bytes),
    size: bytes.length,
  };
  const layers = built.layers.map(({ descriptor: { mediaType, digest, size } }) => ({
    mediaType: ociLayerType[mediaType] ?? mediaType,
    digest,
    size,
  }));
  const manifest = manifestFromJson(
    {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: descriptor,
      layers,
      annotations: facts.annotations,
    },
    mediaTypes.ociManifest,
  );
  return { manifest, config: { descriptor, bytes } };
}

/** The index over the platforms of one image, in the configured order. */
export function imageIndex(
  children: readonly { readonly manifest: RawManifest; readonly platform: Platform }[],
  annotations: Readonly<Record<string, string>>,
): RawManifest {
  const manifests = children.map(({ manifest, platform }) => ({
    mediaType: manifest.mediaType,
    digest: manifest.digest,
    size: manifest.bytes.length,
    platform,
  }));
  return manifestFromJson(
    { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests, annotations },
    mediaTypes.ociIndex,
  );
}
