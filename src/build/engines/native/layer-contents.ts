import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { decompress } from "../../../archive/compression.js";
import { readTar } from "../../../archive/tar-reader.js";
import { WerfError } from "../../../core/errors.js";
import type { FileNode, StoredLayer } from "./image-tree.js";
import { layerPath } from "./layer-index.js";

/** Takes single files out of base layers, into the scratch directory, under names of its own. */
export class LayerContents {
  readonly #scratchDirectory: string;
  readonly #extracted = new Map<string, string>();
  #directory: Promise<string> | undefined;
  #count = 0;

  constructor(scratchDirectory: string) {
    this.#scratchDirectory = scratchDirectory;
  }

  /** Extracts what these files need; each layer is read through once. */
  async prepare(files: Iterable<FileNode>): Promise<void> {
    const wanted = new Map<string, { readonly layer: StoredLayer; readonly paths: Set<string> }>();
    for (const { content } of files) {
      if (content.kind !== "layer" || this.#extracted.has(keyOf(content.layer, content.path))) continue;
      const { digest } = content.layer.descriptor;
      const { paths } = wanted.get(digest) ?? { paths: new Set<string>() };
      paths.add(content.path);
      wanted.set(digest, { layer: content.layer, paths });
    }
    for (const { layer, paths } of wanted.values()) await this.#extract(layer, paths);
  }

  /** The content of a file, after `prepare`. */
  async open({ content }: FileNode): Promise<Readable> {
    if (content.kind === "open") return content.open();
    const path = this.#extracted.get(keyOf(content.layer, content.path));
    if (path === undefined) {
      throw new WerfError(
        "build/layer-file",
        `${content.layer.store.address}: the layer ${content.layer.descriptor.digest} has no file "${content.path}"`,
      );
    }
    return createReadStream(path);
  }

  /** A file's name for bytes that are to be kept until the end of the build. */
  async newFile(): Promise<string> {
    this.#directory ??= mkdtemp(join(this.#scratchDirectory, "files-"));
    return join(await this.#directory, String(this.#count++));
  }

  async #extract(layer: StoredLayer, paths: ReadonlySet<string>): Promise<void> {
    const blob = await layer.store.readBlob(layer.descriptor);
    for await (const { header, content } of readTar(decompress(blob))) {
      if (header.type !== "file") continue;
      const path = layerPath(header.name);
      if (!paths.has(path)) continue;
      const file = await this.newFile();
      await pipeline(Readable.from(content), createWriteStream(file, { flags: "wx" }));
      this.#extracted.set(keyOf(layer, path), file);
    }
  }
}

function keyOf(layer: StoredLayer, path: string): string {
  return `${layer.descriptor.digest} ${path}`;
}
