import { posix } from "node:path";
import type { Digest } from "../../oci/digest.js";

/** Where an image is, in the words of the values. */
export interface ImageLocation {
  /** `host/name`. */
  readonly repository: string;
  readonly tag: string;
  readonly digest: Digest;
}

/** The parts of an image's address that templates may want: `global.werf.images.NAME`. */
export function imageValues({ repository, tag, digest }: ImageLocation): Record<string, string> {
  const slash = repository.indexOf("/");
  const registry = repository.slice(0, slash);
  const path = repository.slice(slash + 1);
  const name = posix.basename(path);
  const tagDigest = `${tag}@${digest}`;
  return {
    registry,
    namespace: posix.dirname(path),
    name,
    tag,
    digest,
    tag_digest: tagDigest,
    image: repository,
    repository: path,
    ref: `${repository}:${tagDigest}`,
    ref_tag: `${repository}:${tag}`,
    repository_ref: `${path}:${tagDigest}`,
    repository_tag: `${path}:${tag}`,
    name_ref: `${name}:${tagDigest}`,
    name_tag: `${name}:${tag}`,
  };
}
