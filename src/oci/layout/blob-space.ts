import type { Readable } from "node:stream";
import { algorithmOf, type Digest, hexOf } from "../digest.js";

/** Where the blobs of a layout lie: a directory, or ranges of a tar file. Nothing here is verified yet. */
export interface BlobSpace {
  /** Bytes; undefined when it isn't there. */
  sizeOf(digest: Digest): Promise<number | undefined>;
  /** The bytes of a blob that is there. */
  read(digest: Digest): Readable;
  /** The same at once, for manifests. */
  readWhole(digest: Digest): Promise<Uint8Array>;
}

/** image-layout.md, "Blobs": `blobs/<alg>/<encoded>`. */
export function blobPath(digest: Digest): string {
  return `blobs/${algorithmOf(digest)}/${hexOf(digest)}`;
}
