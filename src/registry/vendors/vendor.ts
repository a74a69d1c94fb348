import type { RunContext } from "../../core/run-context.js";
import type { DeletionRules } from "../../oci/deletion.js";
import type { RepositoryName } from "../../oci/reference.js";

/** What a vendor may use of the generic client. */
export interface DataPlane {
  /**
   * How one tag can be deleted, found out by a DELETE of a tag that doesn't exist; `unknown` where the
   * repository was opened for reading only, and nothing but reading is allowed.
   * @throws WerfError `registry/*`
   */
  probeTagDeletion(): Promise<"native" | "isolate" | "unknown">;
}

export interface VendorContext {
  readonly run: RunContext;
  readonly repository: RepositoryName;
  readonly registry: DataPlane;
}

/** A repository at this vendor. A method that is there is a better way than the distribution API. */
export interface VendorSession {
  readonly deletion: DeletionRules;
}

/** One registry product or service; one file, one row of the table in index.ts. */
export interface Vendor {
  /** For `--repo-container-registry`; lower-case. */
  readonly id: string;
  /** For people. */
  readonly title: string;
  /** Whether an address is this vendor's: by its host, or by what is unmistakable in the name. */
  match(host: string, name: string): "certain" | "possible" | "no";
  connect(context: VendorContext): Promise<VendorSession>;
}
