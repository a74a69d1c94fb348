import type { RunContext } from "../core/run-context.js";
import type { PrunedItem, PruneResult } from "../embedded-registry/store/prune.js";
import { openRoot } from "./registry-root.js";

export interface GcSettings {
  /** Default: the local store. */
  readonly root: string | undefined;
  readonly dryRun: boolean;
  readonly untagged: boolean;
  /** Milliseconds since somebody pushed it or asked for it. */
  readonly olderThanMs: number;
}

const dayMs = 24 * 3_600_000;

/**
 * `werf registry gc`: removes what no image needs from a registry's directory. Undefined: there is none.
 * @throws WerfError `actions/no-registry`, `oci/digest-mismatch` for a damaged manifest
 */
export async function collectGarbage(
  run: RunContext,
  settings: GcSettings,
  onItem: (item: PrunedItem) => void,
): Promise<PruneResult | undefined> {
  const root = await openRoot(run, settings.root);
  if (root === undefined) return undefined;
  const { dryRun, untagged, olderThanMs } = settings;
  const now = run.clock.now().getTime();
  // Uploads that a killed server has left; one of another process is never a day old.
  if (!dryRun) await root.sweepStaging(new Date(now - Math.max(dayMs, olderThanMs)));
  return root.prune(new Date(now - olderThanMs), { dryRun, untagged, onItem, signal: run.signal });
}
