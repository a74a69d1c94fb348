import type { RunContext } from "../../core/run-context.js";
import type { Digest } from "../../oci/digest.js";
import type { ImageManifest } from "../../oci/manifest.js";
import type { Store } from "../../oci/store.js";
import type { GitFacts, RepositoryRole, UsedFacts } from "../facts.js";

/** A repository to clean, and the registry's own list of its images where it has one. */
export interface RepositoryInput {
  readonly store: Store;
  /** All of it or a thrown error. */
  listImages?(): AsyncIterable<{
    readonly digest: Digest;
    readonly tags: readonly string[];
    readonly pushedAt?: Date;
  }>;
}

export type CleanupRepositories = { readonly primary: RepositoryInput } & {
  readonly [R in Exclude<RepositoryRole, "primary">]?: RepositoryInput;
};

/** What a foreign artifact turned out to be. */
export type BundleRead =
  | {
      readonly kind: "bundle";
      readonly protects: { readonly tags: readonly string[]; readonly digests: readonly Digest[] };
    }
  | { readonly kind: "not-a-bundle" }
  | { readonly kind: "unreadable"; readonly reason: string };

/** Looks into an artifact under a foreign tag; cheap for what is no bundle. */
export type BundleReader = (
  store: Store,
  artifact: { readonly tag: string; readonly digest: Digest; readonly manifest: ImageManifest },
) => Promise<BundleRead>;

export interface InventoryInput {
  readonly project: string;
  readonly repositories: CleanupRepositories;
  /** Names of all images in werf.yaml. */
  readonly imageNames: readonly string[];
  readonly git?: GitFacts;
  readonly used?: UsedFacts;
  readonly keepList?: readonly string[];
  /** Without it, every Helm artifact counts as unreadable, which stops the run. */
  readonly readBundle?: BundleReader;
}

export type InventoryRun = Pick<RunContext, "werfHome" | "clock" | "emit" | "signal">;

/** Requests at once; the HTTP layer has its own bound for a host. */
export const requestsAtOnce = 32;
