import { join } from "node:path";
import { algorithmOf, type Digest, type DigestAlgorithm, hexOf } from "../../oci/digest.js";
import { checkDigest, checkRepositoryName, checkTag, tagFileName } from "./names.js";

/**
 * Where things lie below the root:
 * ```
 * blobs/<alg>/<2 hex>/<hex>                   content, shared by all repositories
 * staging/<uuid>                              files being written; nothing else is ever incomplete
 * repositories/<name>/_blobs/<alg>/<hex>      hard link to the content: the repository has this blob
 *                     _manifests/<alg>/<hex>  media type, newline, the manifest's bytes
 *                     _tags/<tag>             the digest
 *                     _tagged/<2 hex>/<32 hex>!<tag>   empty: the tag once pointed to a digest that begins so
 *                     _referrers/<alg>/<hex>/<alg>-<hex>   descriptor of a manifest with that subject
 * ```
 * A blob or manifest that pruning has taken away, and not removed yet, has `.taken` after its name.
 * No part of a repository's name begins with `_`, so the two never meet.
 */
export class RootLayout {
  readonly directory: string;
  readonly staging: string;
  readonly blobs: string;
  readonly repositories: string;

  constructor(directory: string) {
    this.directory = directory;
    this.staging = join(directory, "staging");
    this.blobs = join(directory, "blobs");
    this.repositories = join(directory, "repositories");
  }

  content(digest: Digest): string {
    checkDigest(digest);
    return join(this.blobs, algorithmOf(digest), hexOf(digest).slice(0, 2), hexOf(digest));
  }

  /** @throws WerfError `embedded-registry/name-invalid` */
  repository(name: string): RepositoryLayout {
    return new RepositoryLayout(join(this.repositories, ...checkRepositoryName(name).split("/")));
  }
}

/** The directories that content is sorted into first. */
export const digestAlgorithms: readonly DigestAlgorithm[] = ["sha256", "sha512"];

/** The directories that make a directory a repository. */
export const repositoryMarks: readonly string[] = ["_manifests", "_blobs"];

/** The paths of one repository; every argument is checked against its grammar. */
export class RepositoryLayout {
  readonly directory: string;
  readonly blobs: string;
  readonly manifests: string;
  readonly tags: string;

  constructor(directory: string) {
    this.directory = directory;
    this.blobs = join(directory, "_blobs");
    this.manifests = join(directory, "_manifests");
    this.tags = join(directory, "_tags");
  }

  blob(digest: Digest): string {
    return join(this.blobs, ...digestPath(digest));
  }

  manifest(digest: Digest): string {
    return join(this.manifests, ...digestPath(digest));
  }

  /** @throws WerfError `embedded-registry/tag-invalid` */
  tag(tag: string): string {
    return join(this.tags, tagFileName(checkTag(tag)));
  }

  /** The directory of the hints for a digest, and what their names begin with. */
  hints(digest: Digest): { readonly directory: string; readonly prefix: string } {
    checkDigest(digest);
    const hex = hexOf(digest);
    return { directory: join(this.directory, "_tagged", hex.slice(0, 2)), prefix: `${hex.slice(0, 32)}!` };
  }

  hint(digest: Digest, tag: string): string {
    const { directory, prefix } = this.hints(digest);
    return join(directory, prefix + tagFileName(checkTag(tag)));
  }

  referrers(subject: Digest): string {
    return join(this.directory, "_referrers", ...digestPath(subject));
  }

  referrer(subject: Digest, referrer: Digest): string {
    checkDigest(referrer);
    return join(this.referrers(subject), referrer.replace(":", "-"));
  }
}

function digestPath(digest: Digest): [algorithm: string, hex: string] {
  checkDigest(digest);
  return [algorithmOf(digest), hexOf(digest)];
}
