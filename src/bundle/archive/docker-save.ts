import { createHash, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Compression, decompress, detectCompression } from "../../archive/compression.js";
import { readTar } from "../../archive/tar-reader.js";
import { WerfError } from "../../core/errors.js";
import type { Descriptor } from "../../oci/descriptor.js";
import type { Digest } from "../../oci/digest.js";
import { blobPath } from "../../oci/layout/blob-space.js";
import { manifestFromJson, maxManifestBytes, parseJsonObject, type RawManifest } from "../../oci/manifest.js";
import { mediaTypes } from "../../oci/media-types.js";

interface SavedFile {
  readonly digest: Digest;
  readonly size: number;
  readonly compression: Compression;
}

/** An image has at most 127 layers; older versions of Docker write four entries for each. */
const maxFiles = 10_000;

/** Media types of Docker's image specification v2.2; zstd is what its tools write since 2021. */
const layerTypes: Readonly<Record<Compression, string>> = {
  gzip: mediaTypes.dockerLayerGzip,
  none: "application/vnd.docker.image.rootfs.diff.tar",
  zstd: "application/vnd.docker.image.rootfs.diff.tar.zstd",
};

/**
 * Takes one image of the output of `docker save` apart: its files become blobs of the layout in `directory`, and
 * a schema 2 manifest is put around config and layers as they are. That is what a push of such a file makes, too;
 * the digest that the image had in its registry is not in the file.
 * @throws WerfError `bundle/archive-invalid`
 */
export async function readDockerSave(
  content: AsyncIterable<Uint8Array>,
  source: string,
  directory: string,
): Promise<RawManifest> {
  const files = new Map<string, SavedFile>();
  for await (const entry of readTar(decompress(content), { entries: maxFiles })) {
    const { name, type, linkname } = entry.header;
    if (type === "file") files.set(name, await save(entry.content, directory));
    // Older versions of Docker write a layer that is there already as a link to it.
    const linked = type === "directory" ? undefined : files.get(linkTarget(name, linkname));
    if (linked !== undefined) files.set(name, linked);
  }
  const { config, layers } = await readIndex(files, source, directory);
  return manifestFromJson(
    {
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifest,
      config: descriptor(mediaTypes.dockerConfig, config),
      layers: layers.map((layer) => descriptor(layerTypes[layer.compression], layer)),
    },
    mediaTypes.dockerManifest,
  );
}

function linkTarget(name: string, linkname = ""): string {
  return linkname.startsWith("../") ? linkname.slice("../".length) : linkname === "" ? name : linkname;
}

function descriptor(mediaType: string, { digest, size }: SavedFile): Descriptor {
  return { mediaType, digest, size };
}

/** Streams a file into the layout; its digest is known at its end. */
async function save(content: AsyncIterable<Uint8Array>, directory: string): Promise<SavedFile> {
  const partial = join(directory, `.partial-${randomUUID()}`);
  const hash = createHash("sha256");
  let size = 0;
  let beginning = Buffer.alloc(0);
  async function* measured(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of content) {
      hash.update(chunk);
      size += chunk.length;
      if (beginning.length < 4) beginning = Buffer.concat([beginning, chunk.subarray(0, 4)]);
      yield chunk;
    }
  }
  try {
    await pipeline(measured, createWriteStream(partial));
    const digest: Digest = `sha256:${hash.digest("hex")}`;
    const path = join(directory, blobPath(digest));
    await mkdir(dirname(path), { recursive: true });
    await rename(partial, path);
    return { digest, size, compression: detectCompression(beginning) };
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** `manifest.json`: a list with one image. */
async function readIndex(
  files: ReadonlyMap<string, SavedFile>,
  source: string,
  directory: string,
): Promise<{ config: SavedFile; layers: readonly SavedFile[] }> {
  const index = files.get("manifest.json");
  if (index === undefined) throw invalid(source, "it has no manifest.json");
  const list = await readJson(directory, index, source);
  const [image] = Array.isArray(list) ? list : [];
  if (!Array.isArray(list) || list.length !== 1)
    throw invalid(source, "its manifest.json is no list of one image");
  const { Config, Layers } = (image ?? {}) as Record<string, unknown>;
  if (!Array.isArray(Layers)) throw invalid(source, "its manifest.json has no Layers");
  const find = (name: unknown): SavedFile => {
    const file = typeof name === "string" ? files.get(name) : undefined;
    if (file === undefined)
      throw invalid(source, `its manifest.json names ${JSON.stringify(name)}, which is not there`);
    return file;
  };
  const config = find(Config);
  const layers = Layers.map(find);
  await checkConfig(config, layers.length, source, directory);
  return { config, layers };
}

async function checkConfig(
  config: SavedFile,
  layers: number,
  source: string,
  directory: string,
): Promise<void> {
  const bytes = await readSmall(directory, config, source);
  const rootfs = (parseJsonObject(bytes, `${source}: the config`)["rootfs"] ?? {}) as Record<string, unknown>;
  const diffIds = rootfs["diff_ids"];
  const count = Array.isArray(diffIds) ? diffIds.length : 0;
  if (count !== layers)
    throw invalid(source, `its config counts ${count} layers, its manifest.json ${layers}`);
}

async function readJson(directory: string, file: SavedFile, source: string): Promise<unknown> {
  const text = Buffer.from(await readSmall(directory, file, source)).toString("utf8");
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalid(source, `its manifest.json is not JSON: ${(cause as Error).message}`);
  }
}

async function readSmall(directory: string, file: SavedFile, source: string): Promise<Uint8Array> {
  if (file.size > maxManifestBytes) throw invalid(source, `its metadata has ${file.size} bytes`);
  return readFile(join(directory, blobPath(file.digest)));
}

function invalid(source: string, what: string): WerfError {
  return new WerfError("bundle/archive-invalid", `${source} is not what docker save writes: ${what}`);
}
