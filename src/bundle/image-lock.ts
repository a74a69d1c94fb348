import { WerfError } from "../core/errors.js";
import { type Digest, isDigest } from "../oci/digest.js";
import { parseJsonObject } from "../oci/manifest.js";
import { isTag } from "../oci/reference.js";

/**
 * A file of our own in the chart: every image of the bundle with its digest, nameless ones included. Helm takes it
 * for one of the chart's files.
 */
export const imageLockPath = "werf-images.lock.json";

export interface LockedImage {
  /** "" for the nameless one. */
  readonly name: string;
  /** `host/name`. */
  readonly repository: string;
  readonly tag: string;
  readonly digest: Digest;
}

const format = "werf-ts/images/v1";

export function formatImageLock(images: readonly LockedImage[]): Uint8Array {
  const sorted = [...images].sort((a, b) => (a.name < b.name ? -1 : 1));
  const lines = sorted.map(({ name, repository, tag, digest }) => ({ name, repository, tag, digest }));
  return Buffer.from(`${JSON.stringify({ format, images: lines }, undefined, 2)}\n`);
}

/** @throws WerfError `bundle/lock-invalid` */
export function parseImageLock(bytes: Uint8Array, source: string): readonly LockedImage[] {
  const json = parseJsonObject(bytes, `${imageLockPath} of ${source}`);
  const images = json["images"];
  if (json["format"] !== format || !Array.isArray(images)) throw invalid(source, "it is of another format");
  return images.map((item: unknown) => {
    const { name, repository, tag, digest } = (item ?? {}) as Record<string, unknown>;
    const isValid =
      typeof name === "string" &&
      typeof repository === "string" &&
      typeof tag === "string" &&
      isTag(tag) &&
      typeof digest === "string" &&
      isDigest(digest);
    if (!isValid) throw invalid(source, `its image ${JSON.stringify(item)?.slice(0, 300)} is not one`);
    return { name, repository, tag, digest };
  });
}

function invalid(source: string, what: string): WerfError {
  return new WerfError("bundle/lock-invalid", `${imageLockPath} of ${source} can't be read: ${what}`);
}
