import type { Digest } from "../oci/digest.js";
import type { RepositoryRole } from "./facts.js";

/** What a line is about. The first seven are the names that werf's report uses. */
export type ObjectType =
  | "stage"
  | "finalStage"
  | "customTag"
  | "rejectedStage"
  | "rejectedStageMarker"
  | "imageMetadata"
  | "managedImage"
  | "customTagRecord"
  | "attached"
  | "untagged"
  | "tombstone"
  | "bundle"
  | "foreign"
  | "oldGeneration"
  | "marker";

/** One object and what happens to it. */
export interface PlanLine {
  readonly type: ObjectType;
  readonly repository: RepositoryRole;
  /** Absent for an untagged manifest. */
  readonly tag?: string;
  /** What the tag resolved to when the plan was made. */
  readonly digest?: Digest;
  readonly decision: "keep" | "delete";
  /** One line for people: `git policy`, `no policy keeps it`. */
  readonly reason: string;
  /** Every rule that decided so, with what it saw: `git policy: branch main, commit 1234567`. */
  readonly because: readonly string[];
  /** Of metadata: image (or its id), commit and stage. */
  readonly imageName?: string;
  readonly imageId?: string;
  readonly commit?: string;
  readonly stage?: string;
}

/** One thing to do. `lines` are the lines that it carries out, `requires` the steps that must have succeeded. */
export type PlanStep = StepBase & Operation;

interface StepBase {
  readonly repository: RepositoryRole;
  /** Indices into `Plan.lines`. */
  readonly lines: readonly number[];
  /** Indices into `Plan.steps`, all smaller than its own. */
  readonly requires: readonly number[];
}

export type Operation =
  /** Deletes a manifest, and with it these tags, all of which must still resolve to it. */
  | { readonly op: "delete-manifest"; readonly digest: Digest; readonly tags: readonly string[] }
  /** Removes one tag, natively, and nothing else. */
  | { readonly op: "delete-tag"; readonly tag: string; readonly expect: Digest }
  /** Puts a throw-away manifest under the tag and deletes that. Only for tags of stages. */
  | { readonly op: "isolate-tag"; readonly tag: string; readonly expect: Digest };

/** Why a plan must not be carried out as it is. */
export interface PlanStop {
  readonly code: `cleanup/${string}`;
  readonly message: string;
  readonly hint: string;
}

/** A plan is data: what `--dry-run` prints and what a run executes, line by line. */
export interface Plan {
  readonly version: 1;
  readonly kind: "cleanup" | "purge";
  readonly project: string;
  /** ISO 8601. */
  readonly takenAt: string;
  readonly repositories: { readonly [R in RepositoryRole]?: string };
  readonly lines: readonly PlanLine[];
  /** In the order of execution. */
  readonly steps: readonly PlanStep[];
  readonly stops: readonly PlanStop[];
  readonly warnings: readonly string[];
  /** Whether a run leaves the record of the last cleanup. */
  readonly leavesRecord: boolean;
  /** Records whose labels or time decide, but were not read. A plan that still has some keeps them. */
  readonly unread: readonly { readonly repository: RepositoryRole; readonly tag: string }[];
}
