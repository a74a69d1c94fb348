import type { RefusalReason } from "../oci/deletion.js";
import type { PlanLine } from "./plan.js";

/** How one step ended. */
export type StepOutcome =
  | { readonly kind: "deleted" }
  | { readonly kind: "absent" }
  /** For good, by the registry: kept, with the reason. */
  | {
      readonly kind: "refused";
      readonly reason: RefusalReason;
      readonly answer: string;
      readonly hint: string;
    }
  /** Somebody pushed to the tag since the plan was made: left alone. */
  | { readonly kind: "moved"; readonly what: string }
  /** What had to go before it stayed. */
  | { readonly kind: "skipped"; readonly because: string }
  | { readonly kind: "failed"; readonly message: string };

/** A line of the plan after the run. */
export interface LineOutcome {
  readonly line: PlanLine;
  readonly result: "deleted" | "kept" | "failed";
  /** Why it is still there although the plan said delete; absent where the plan's own reason holds. */
  readonly reason?: string;
}

export type CleanupOutcome =
  /** What the plan rests on changed since it was made; nothing was deleted. Plan again. */
  | { readonly kind: "stale"; readonly because: string }
  | {
      readonly kind: "done";
      readonly lines: readonly LineOutcome[];
      /** What the check after the run found broken: each is a reason for exit code 1. */
      readonly broken: readonly string[];
      readonly success: boolean;
    };
