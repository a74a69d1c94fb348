import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { decompress } from "../../src/archive/compression.js";
import { gzip } from "../../src/archive/gzip.js";
import type { TarHeader } from "../../src/archive/tar-header.js";
import { readTar } from "../../src/archive/tar-reader.js";
import { type TarItem, writeTar } from "../../src/archive/tar-writer.js";
import type { BaseImage, BuiltLayer } from "../../src/build/engines/engine.js";
import type { Descriptor } from "../../src/oci/descriptor.js";
import { type Digest, digestOf } from "../../src/oci/digest.js";
import type { ImageConfig } from "../../src/oci/image-config.js";
import { mediaTypes } from "../../src/oci/media-types.js";
import type { MemoryStore } from "./memory-store.js";

/** An entry of a layer under test: content makes a file, a name that ends with a slash a directory. */
export type TarSpec = Partial<TarHeader> & { readonly name: string; readonly content?: string | Uint8Array };

export function tarOf(specs: readonly TarSpec[]): Promise<Buffer> {
  return buffer(Readable.from(writeTar(specs.map(itemOf))));
}

function itemOf({ content = "", ...header }: TarSpec): TarItem {
  const bytes = Buffer.from(content);
  const type = header.type ?? (header.name.endsWith("/") ? "directory" : "file");
  const mode = type === "directory" ? 0o755 : 0o644;
  const facts = { mode, uid: 0, gid: 0, mtime: 0, ...header, type };
  return type === "file"
    ? { header: { ...facts, size: bytes.length }, content: () => bytes }
    : { header: { ...facts, size: 0 } };
}

/** Puts an image with these layers into a store. */
export async function baseImage(
  store: MemoryStore,
  layers: readonly (readonly TarSpec[])[],
  config: Partial<ImageConfig> = {},
  layerType: string = mediaTypes.ociLayerGzip,
): Promise<BaseImage> {
  const descriptors: Descriptor[] = [];
  const diffIds: Digest[] = [];
  for (const specs of layers) {
    const tar = await tarOf(specs);
    diffIds.push(digestOf(tar));
    descriptors.push(store.putBlob(await buffer(Readable.from(gzip(Readable.from([tar])))), layerType));
  }
  return {
    store,
    layers: descriptors,
    config: { os: "linux", architecture: "amd64", ...config, rootfs: { type: "layers", diff_ids: diffIds } },
  };
}

export interface UnpackedEntry {
  readonly header: TarHeader;
  readonly text: string;
}

/** What is in a layer, by name, in its order. */
export async function unpack(layer: BuiltLayer): Promise<ReadonlyMap<string, UnpackedEntry>> {
  const { content, descriptor } = layer;
  const stream =
    content.kind === "bytes" ? await content.source.open() : await content.store.readBlob(descriptor);
  const entries = new Map<string, UnpackedEntry>();
  for await (const { header, content: body } of readTar(decompress(stream))) {
    entries.set(header.name, { header, text: (await buffer(Readable.from(body))).toString("utf8") });
  }
  return entries;
}
