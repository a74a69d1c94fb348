import type { Digest } from "../oci/digest.js";

/** An image as it stands in a registry after a build: what bundle and reports are made from. */
export interface PublishedImage {
  /** Its name in werf.yaml. */
  readonly name: string;
  readonly final: boolean;
  /** The store's address, `host/name`; the final repository when there is one. */
  readonly repository: string;
  /** The content-based tag (the stage ID). */
  readonly tag: string;
  /** Of the manifest or index under the tag. */
  readonly digest: Digest;
  readonly platforms: readonly string[];
  /** Whether this run built it. */
  readonly rebuilt: boolean;
}
