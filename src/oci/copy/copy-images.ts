import { randomUUID } from "node:crypto";
import type { RunContext } from "../../core/run-context.js";
import { type Digest, isDigest } from "../digest.js";
import { executeCopy } from "./executor.js";
import type { CopyPlan, CopyRequest } from "./plan.js";
import { type CopyPlanOptions, planCopy } from "./planner.js";

export interface CopyOptions extends CopyPlanOptions {
  /** Blobs at the same time. Default 4. */
  readonly blobConcurrency?: number;
  /** The task that the copy's own task is nested in. */
  readonly parent?: string;
}

export interface CopiedImage {
  readonly request: CopyRequest;
  readonly digest: Digest;
  /** `current`: the destination had it, under all its tags, and nothing was sent. */
  readonly result: "copied" | "current";
}

export interface CopyResult {
  /** The requested ones in their order, then what is attached to them. */
  readonly images: readonly CopiedImage[];
  readonly manifests: { readonly copied: number; readonly skipped: number };
  readonly blobs: { readonly uploaded: number; readonly mounted: number; readonly skipped: number };
  /** That travelled through this process. */
  readonly bytes: number;
}

/**
 * Brings images to other stores as one graph: each manifest and blob once, however many images share it;
 * blobs before manifests, children before parents, tags last; bytes and digests stay what they are. What the
 * destination has is left alone, so a second run sends nothing and a broken one is finished by the next.
 * The first failure ends the rest; its message says which side failed.
 * @throws WerfError `oci/manifest-missing`, `oci/index-too-deep`, and what the stores throw
 */
export async function copyImages(
  run: Pick<RunContext, "signal" | "emit">,
  requests: readonly CopyRequest[],
  options: CopyOptions = {},
): Promise<CopyResult> {
  return executePlan(run, await planCopy(run, requests, options), options);
}

/** Carries a plan out and tells how far it is. */
export async function executePlan(
  run: Pick<RunContext, "signal" | "emit">,
  plan: CopyPlan,
  options: Pick<CopyOptions, "blobConcurrency" | "manifestConcurrency" | "parent"> = {},
): Promise<CopyResult> {
  const task = `copy:${randomUUID()}`;
  run.emit({
    code: "task/started",
    task,
    title: titleOf(plan),
    totalBytes: plan.bytes,
    ...(options.parent === undefined ? {} : { parent: options.parent }),
  });
  try {
    const { written, blobs, bytes } = await executeCopy(run, plan, {
      blobConcurrency: options.blobConcurrency ?? 4,
      manifestConcurrency: options.manifestConcurrency ?? 8,
      onBytes: (moved) => run.emit({ code: "task/progress", task, bytes: moved }),
    });
    const isCached = plan.manifests.length === 0 && plan.images.every((image) => image.tags.length === 0);
    run.emit({
      code: "task/ended",
      task,
      result: isCached ? "cached" : "done",
      detail: isCached ? "all there" : detailOf(blobs),
      bytes,
    });
    return {
      images: plan.images.map(({ request, digest, manifest, tags }) => ({
        request,
        digest,
        result: manifest === undefined && tags.length === 0 ? "current" : "copied",
      })),
      manifests: { copied: written, skipped: plan.present },
      blobs,
      bytes,
    };
  } catch (error) {
    run.emit({ code: "task/ended", task, result: "failed" });
    throw error;
  }
}

function titleOf(plan: CopyPlan): string {
  const [first, ...rest] = plan.images.map((image) => image.request);
  if (first === undefined) return "Copy no images";
  const destinations = new Set(plan.images.map((image) => image.request.destination.address));
  const what = rest.length === 0 ? shortReference(first) : `${rest.length + 1} images`;
  return `Copy ${what} to ${[...destinations].join(", ")}`;
}

/** For people: a digest shows enough of itself to be told from others. */
function shortReference({ source, reference }: CopyRequest): string {
  if (!isDigest(reference)) return `${source.address}:${reference}`;
  return `${source.address}@${reference.slice(0, reference.indexOf(":") + 9)}…`;
}

function detailOf({ uploaded, mounted, skipped }: CopyResult["blobs"]): string {
  const counts = [
    [uploaded, "sent"],
    [mounted, "mounted"],
    [skipped, "there"],
  ] as const;
  const parts = counts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return parts.length === 0 ? "no blobs" : `blobs: ${parts.join(", ")}`;
}
