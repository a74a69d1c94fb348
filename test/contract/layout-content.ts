import { Readable } from "node:stream";
import type { Descriptor } from "../../src/oci/descriptor.js";
import { digestOf } from "../../src/oci/digest.js";
import { descriptorOf, manifestFromJson, type RawManifest } from "../../src/oci/manifest.js";
import { mediaTypes } from "../../src/oci/media-types.js";
import type { Store } from "../../src/oci/store.js";

export async function putBlob(store: Store, text: string, mediaType: string): Promise<Descriptor> {
  const bytes = Buffer.from(text);
  const blob = { digest: digestOf(bytes), size: bytes.length };
  await store.writeBlob(blob, { open: () => Readable.from([bytes]) });
  return { mediaType, ...blob };
}

/** An image whose bytes depend on its name and base only: with a config and two layers. */
export async function putImage(
  store: Store,
  name: string,
  tag?: string,
  base = "base layer",
): Promise<RawManifest> {
  const manifest = manifestFromJson(
    {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: await putBlob(store, `{"name":"${name}"}`, mediaTypes.ociConfig),
      layers: [
        await putBlob(store, base, mediaTypes.ociLayer),
        await putBlob(store, name, mediaTypes.ociLayer),
      ],
    },
    mediaTypes.ociManifest,
  );
  await store.writeManifest(manifest, tag);
  return manifest;
}

export async function putIndex(
  store: Store,
  children: readonly RawManifest[],
  tag?: string,
): Promise<RawManifest> {
  const json = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: children.map(descriptorOf) };
  const index = manifestFromJson(json, mediaTypes.ociIndex);
  await store.writeManifest(index, tag);
  return index;
}
