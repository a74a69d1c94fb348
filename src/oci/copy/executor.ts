import pLimit, { type LimitFunction } from "p-limit";
import { isWerfError } from "../../core/errors.js";
import type { RunContext } from "../../core/run-context.js";
import type { RawManifest } from "../manifest.js";
import type { Store } from "../store.js";
import { type BlobOutcome, BlobTransfer } from "./blob-transfer.js";
import { writing } from "./failure.js";
import type { CopyPlan, PlannedBlob, PlannedImage, PlannedManifest } from "./plan.js";

export interface ExecuteOptions {
  readonly blobConcurrency: number;
  readonly manifestConcurrency: number;
  onBytes(bytes: number): void;
}

export interface ExecuteResult {
  /** Manifests written by digest or tag, each counted once. */
  readonly written: number;
  readonly blobs: { readonly uploaded: number; readonly mounted: number; readonly skipped: number };
  readonly bytes: number;
}

/** Carries out exactly this plan. */
export async function executeCopy(
  run: Pick<RunContext, "signal">,
  plan: CopyPlan,
  options: ExecuteOptions,
): Promise<ExecuteResult> {
  return new Executor(run, options).execute(plan);
}

class Executor {
  readonly #signal: AbortSignal;
  readonly #blobLimit: LimitFunction;
  readonly #manifestLimit: LimitFunction;
  readonly #transfer: BlobTransfer;
  readonly #blobs = new Map<PlannedBlob, Promise<BlobOutcome>>();
  readonly #manifests = new Map<PlannedManifest, Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(run: Pick<RunContext, "signal">, options: ExecuteOptions) {
    this.#signal = run.signal;
    this.#blobLimit = pLimit(options.blobConcurrency);
    this.#manifestLimit = pLimit(options.manifestConcurrency);
    this.#transfer = new BlobTransfer(options.onBytes);
  }

  async execute(plan: CopyPlan): Promise<ExecuteResult> {
    const roots = new Set(plan.images.filter((i) => i.tags.length > 0).map((i) => i.manifest));
    for (const { children } of plan.manifests) for (const child of children) roots.delete(child);
    // What gets a tag is written under it straight away: some registries forget manifests without one.
    const subjects = plan.images.filter((image) => image.subject === undefined);
    const attached = plan.images.filter((image) => image.subject !== undefined);
    await this.#settle(subjects.map((image) => this.#image(image, roots)));
    await this.#settle(attached.map((image) => this.#image(image, roots)));
    const outcomes = await Promise.all(this.#blobs.values());
    const count = (outcome: BlobOutcome): number => outcomes.filter((o) => o === outcome).length;
    return {
      written: plan.manifests.length,
      blobs: { uploaded: count("uploaded"), mounted: count("mounted"), skipped: count("skipped") },
      bytes: this.#transfer.bytes,
    };
  }

  async #image(image: PlannedImage, roots: ReadonlySet<PlannedManifest | undefined>): Promise<void> {
    const { destination } = image.request;
    const { manifest, raw } = image;
    if (manifest !== undefined) {
      await (roots.has(manifest) ? this.#before(manifest) : this.#manifest(manifest));
    }
    for (const { tag } of image.tags) {
      if (raw !== undefined) await this.#write(destination, raw, manifest?.blobs ?? [], tag);
    }
  }

  #manifest(manifest: PlannedManifest): Promise<void> {
    const known = this.#manifests.get(manifest);
    if (known !== undefined) return known;
    const written = this.#before(manifest).then(() =>
      this.#write(manifest.destination, manifest.raw, manifest.blobs),
    );
    this.#manifests.set(manifest, written);
    return written;
  }

  async #before(manifest: PlannedManifest): Promise<void> {
    await this.#settle([
      ...manifest.blobs.map((blob) => this.#blob(blob)),
      ...manifest.children.map((child) => this.#manifest(child)),
    ]);
  }

  #blob(blob: PlannedBlob): Promise<BlobOutcome> {
    const known = this.#blobs.get(blob);
    if (known !== undefined) return known;
    const copied = this.#blobLimit(() => this.#guard(() => this.#transfer.copy(blob)));
    this.#blobs.set(blob, copied);
    return copied;
  }

  async #write(
    destination: Store,
    raw: RawManifest,
    blobs: readonly PlannedBlob[],
    tag?: string,
  ): Promise<void> {
    const write = (): Promise<void> => writing(destination, () => destination.writeManifest(raw, tag));
    await this.#manifestLimit(() =>
      this.#guard(async () => {
        try {
          await write();
        } catch (error) {
          if (!isWerfError(error) || error.code !== "registry/content-missing") throw error;
          // A mount or a HEAD was answered for a blob that isn't there after all: send them, once.
          for (const blob of blobs) await this.#transfer.send(blob);
          await write();
        }
      }),
    );
  }

  /** Begins nothing after a failure, and remembers the first one. */
  async #guard<T>(action: () => Promise<T>): Promise<T> {
    if (this.#failure !== undefined) throw this.#failure.error;
    try {
      this.#signal.throwIfAborted();
      return await action();
    } catch (error) {
      this.#failure ??= { error };
      this.#transfer.abort();
      throw this.#failure.error;
    }
  }

  /** Waits for all, so that nothing is still running when the first failure is thrown. */
  async #settle(work: readonly Promise<unknown>[]): Promise<void> {
    await Promise.allSettled(work);
    if (this.#failure !== undefined) throw this.#failure.error;
    await Promise.all(work);
  }
}
