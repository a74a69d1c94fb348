/** Why a registry refuses for good to delete one object. */
export type RefusalReason = "immutable" | "locked" | "in-use" | "last-version" | "permission" | "unsupported";

/** What the registry said about one object; the run goes on. Network and protocol failures are thrown. */
export interface Refused {
  readonly kind: "refused";
  readonly reason: RefusalReason;
  /** The registry's own words. */
  readonly answer: string;
  readonly hint: string;
}

export type DeleteResult = { readonly kind: "deleted" } | { readonly kind: "absent" } | Refused;

/** What deletion does at this store, as data: the planner orders, isolates and batches without knowing a vendor. */
export interface DeletionRules {
  /**
   * How one tag goes while its siblings stay; `isolate`: push a throw-away manifest to it and delete that;
   * `unknown`: only a deletion could tell, and the store was opened for reading.
   */
  readonly deleteTag: "native" | "isolate" | "none" | "unknown";
  /** What deleting the last tag of a manifest does. */
  readonly lastTag: "keeps-manifest" | "deletes-manifest" | "refused";
  /** What deleting a manifest by digest does to its tags. */
  readonly deleteManifest: "drops-tags" | "leaves-tags" | "refused-while-tagged" | "none";
  /** A child of an index that still exists. */
  readonly deleteChild: "allowed" | "refused";
  /** What the registry removes by itself with a manifest. */
  readonly cascades: readonly ("children" | "referrers")[];
  /** Objects per request. */
  readonly batchSize: number;
}
