import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { WerfError } from "../../core/errors.js";
import { algorithmOf, type Digest, digestOf, isDigest } from "../../oci/digest.js";
import type { RawManifest } from "../../oci/manifest.js";
import type { BoundedCache } from "./bounded-cache.js";
import { namesIn, orMissing, removeFile, removeTaken, renew, type Staging, statRestoring } from "./files.js";
import { digestAlgorithms, type RepositoryLayout } from "./layout.js";

/** A manifest in memory, and which file it was: another inode or time is another file. */
export interface CachedManifest {
  readonly manifest: RawManifest;
  readonly inode: number;
  readonly modified: number;
}

const mediaTypePattern = /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/;
const newline = 0x0a;

/** The manifests of one repository, by digest: a line with the media type, then the bytes as they came. */
export class ManifestFiles {
  readonly #layout: RepositoryLayout;
  readonly #staging: Staging;
  readonly #cache: BoundedCache<CachedManifest>;

  constructor(layout: RepositoryLayout, staging: Staging, cache: BoundedCache<CachedManifest>) {
    this.#layout = layout;
    this.#staging = staging;
    this.#cache = cache;
  }

  async list(): Promise<Digest[]> {
    const found = digestAlgorithms.map(async (algorithm) => {
      const names = await namesIn(join(this.#layout.manifests, algorithm));
      return names.map((hex) => `${algorithm}:${hex}`).filter(isDigest);
    });
    return (await Promise.all(found)).flat();
  }

  async has(digest: Digest): Promise<boolean> {
    return (await statRestoring(this.#layout.manifest(digest))) !== undefined;
  }

  /** Somebody counts on this manifest from now on: pruning lets it be as long as a new one. */
  renew(digest: Digest): Promise<void> {
    return renew(this.#layout.manifest(digest));
  }

  /** @throws WerfError `oci/digest-mismatch` when the file was damaged */
  async read(digest: Digest): Promise<RawManifest | undefined> {
    const path = this.#layout.manifest(digest);
    const found = await statRestoring(path);
    if (found === undefined) {
      this.#cache.delete(path);
      return undefined;
    }
    const cached = this.#cache.get(path);
    if (cached?.inode === found.ino && cached.modified === found.mtimeMs) return cached.manifest;
    const file = await orMissing(readFile(path));
    if (file === undefined) return undefined;
    const manifest = decode(file, digest, path);
    this.#cache.set(path, { manifest, inode: found.ino, modified: found.mtimeMs }, file.length + 500);
    return manifest;
  }

  /** @throws WerfError `oci/digest-mismatch`, `oci/manifest-invalid` for what is no media type */
  async write(manifest: RawManifest): Promise<void> {
    if (!mediaTypePattern.test(manifest.mediaType)) {
      throw new WerfError(
        "oci/manifest-invalid",
        `"${manifest.mediaType.slice(0, 200)}" is not a media type`,
      );
    }
    const have = await this.read(manifest.digest).catch(() => undefined);
    if (have?.mediaType === manifest.mediaType) {
      await this.renew(manifest.digest);
      return;
    }
    await this.#staging.writeFile(
      this.#layout.manifest(manifest.digest),
      `${manifest.mediaType}\n`,
      manifest.bytes,
    );
  }

  /** False when there was none. */
  async remove(digest: Digest): Promise<boolean> {
    const path = this.#layout.manifest(digest);
    this.#cache.delete(path);
    const [removed, taken] = [await removeFile(path), await removeTaken(path)];
    return removed || taken;
  }
}

function decode(file: Buffer, digest: Digest, path: string): RawManifest {
  const end = file.indexOf(newline);
  const bytes = file.subarray(end + 1);
  if (end === -1 || digestOf(bytes, algorithmOf(digest)) !== digest) {
    throw new WerfError(
      "oci/digest-mismatch",
      `${path} doesn't hold the manifest ${digest}: the file was damaged`,
      {
        hint: "delete the file and push the manifest again",
      },
    );
  }
  return { bytes, mediaType: file.toString("latin1", 0, end), digest };
}
