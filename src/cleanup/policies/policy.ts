import type { CleanupConfig } from "../../config/model.js";
import type { GitReference } from "../../git/history.js";
import type { ImageMetadataTag } from "../../records/tags.js";
import type { CleanupFacts } from "../facts.js";

/** A record by which a reference keeps a stage. */
export interface GitHit {
  /** Its name. */
  readonly image: string;
  readonly reference: GitReference;
  readonly record: ImageMetadataTag;
}

export interface PolicyInput {
  readonly facts: CleanupFacts;
  readonly config: CleanupConfig;
  /** What the history of git keeps; none when that policy is off. */
  readonly gitHits: readonly GitHit[];
  /** Overrides `keepImagesBuiltWithinLastNHours` of werf.yaml. */
  readonly keepBuiltWithinHours?: number;
}

/** A stage that a policy keeps. */
export interface Protection {
  /** Its tag, in whichever repository. */
  readonly stage: string;
  /** One line: `git policy`. */
  readonly reason: string;
  /** What the policy saw: `branch main, commit 1234567`. */
  readonly evidence: string;
}

/** A rule that keeps stages. Rules only ever add: one that keeps is never outvoted. */
export interface Policy {
  readonly id: string;
  /** Whether it also keeps a stage that a builder rejected: only what is used by name does. */
  readonly keepsRejected: boolean;
  protect(input: PolicyInput): Iterable<Protection>;
}
