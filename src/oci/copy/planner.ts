import pLimit, { type LimitFunction } from "p-limit";
import { WerfError } from "../../core/errors.js";
import type { RunContext } from "../../core/run-context.js";
import { type Digest, hexOf, isDigest } from "../digest.js";
import { blobsOf, childrenOf, isForeignLayer, maxIndexDepth } from "../graph.js";
import { type Manifest, parseManifest, type RawManifest } from "../manifest.js";
import type { Store } from "../store.js";
import { reading, writing } from "./failure.js";
import {
  type CopyPlan,
  type CopyRequest,
  destinationKey,
  type PlannedBlob,
  type PlannedImage,
  type PlannedManifest,
  type PlannedTag,
} from "./plan.js";

export interface CopyPlanOptions {
  /** Requests for manifests at the same time. Default 8. */
  readonly manifestConcurrency?: number;
  /** Also signatures, attestations and SBOMs: OCI referrers and cosign's digest tags. Default false. */
  readonly referrers?: boolean;
  /** Looks below manifests that the destination has, and mends what is missing there. Default false. */
  readonly recheck?: boolean;
}

const cosignSuffixes = ["sig", "att", "sbom"] as const;
const maxManifests = 100_000;

/**
 * Reads manifests at the sources and asks the destinations for them. Writes nothing.
 * @throws WerfError `oci/manifest-missing`, `oci/index-too-deep`, `oci/copy-too-large` and what the stores throw
 */
export async function planCopy(
  run: Pick<RunContext, "signal">,
  requests: readonly CopyRequest[],
  options: CopyPlanOptions = {},
): Promise<CopyPlan> {
  const planner = new Planner(run, options);
  const images = await planner.images(requests);
  const manifests = inOrder(images);
  const blobs = [...new Set(manifests.flatMap((m) => m.blobs))];
  return {
    images,
    manifests,
    blobs,
    present: planner.present,
    bytes: blobs.reduce((sum, blob) => sum + blob.descriptor.size, 0),
  };
}

/** A memo of what was looked at, per destination, so that shared parts are asked for once. */
class Planner {
  readonly #signal: AbortSignal;
  readonly #options: CopyPlanOptions;
  readonly #limit: LimitFunction;
  readonly #manifests = new Map<string, Promise<PlannedManifest | undefined>>();
  readonly #blobs = new Map<string, Promise<PlannedBlob | undefined>>();
  readonly #seenReferrers = new Set<string>();
  #failure: { readonly error: unknown } | undefined;
  present = 0;

  constructor(run: Pick<RunContext, "signal">, options: CopyPlanOptions) {
    this.#signal = run.signal;
    this.#options = options;
    this.#limit = pLimit(options.manifestConcurrency ?? 8);
  }

  async images(requests: readonly CopyRequest[]): Promise<PlannedImage[]> {
    const planned = await all(requests.map((request) => this.#image(request)));
    if (this.#options.referrers !== true) return planned;
    const attached = await all(planned.map((image) => this.#attachments(image.request, image.digest)));
    return [...planned, ...attached.flat()];
  }

  async #image(request: CopyRequest, subject?: Digest): Promise<PlannedImage> {
    const { source, destination, reference } = request;
    const digest = await this.#resolve(source, reference);
    const tags = await all(request.tags.map((tag) => this.#tag(request, digest, tag)));
    const stale = tags.filter((tag) => tag !== undefined);
    const base = { request, digest, tags: stale, ...(subject === undefined ? {} : { subject }) };
    const isThere = tags.length > 0 && stale.length === 0 && this.#options.recheck !== true;
    if (isThere) {
      this.present++;
      return base;
    }
    const manifest = await this.#manifest(source, destination, digest, 0);
    if (manifest !== undefined) return { ...base, manifest, raw: manifest.raw };
    return stale.length === 0 ? base : { ...base, raw: await this.#read(source, digest) };
  }

  async #resolve(source: Store, reference: string): Promise<Digest> {
    if (isDigest(reference)) return reference;
    const stat = await this.#ask(() => reading(source, () => source.statManifest(reference)));
    if (stat.kind === "missing") throw missing(source, reference);
    return stat.descriptor.digest;
  }

  async #tag(request: CopyRequest, digest: Digest, tag: string): Promise<PlannedTag | undefined> {
    const { destination } = request;
    const stat = await this.#ask(() => writing(destination, () => destination.statManifest(tag)));
    if (stat.kind === "missing") return { tag };
    return stat.descriptor.digest === digest ? undefined : { tag, replaces: stat.descriptor.digest };
  }

  /** Plans a manifest and what lies below; `undefined` when the destination has it. */
  #manifest(
    source: Store,
    destination: Store,
    digest: Digest,
    depth: number,
  ): Promise<PlannedManifest | undefined> {
    const key = `${destinationKey(destination)}\n${digest}`;
    const known = this.#manifests.get(key);
    if (known !== undefined) return known;
    if (this.#manifests.size >= maxManifests) {
      return Promise.reject(
        new WerfError(
          "oci/copy-too-large",
          `copying from ${source.address}: more than ${maxManifests} manifests`,
        ),
      );
    }
    const planned = this.#newManifest(source, destination, digest, depth);
    this.#manifests.set(key, planned);
    return planned;
  }

  async #newManifest(
    source: Store,
    destination: Store,
    digest: Digest,
    depth: number,
  ): Promise<PlannedManifest | undefined> {
    if (depth > maxIndexDepth) {
      throw new WerfError(
        "oci/index-too-deep",
        `copying from ${source.address}: ${digest} lies ${depth} indexes deep; at most ${maxIndexDepth} are followed`,
      );
    }
    const stat = await this.#ask(() => writing(destination, () => destination.statManifest(digest)));
    if (stat.kind === "present") {
      this.present++;
      if (this.#options.recheck !== true) return undefined;
    }
    const raw = await this.#read(source, digest);
    const parsed = parseManifest(raw, `${source.address}@${digest}`);
    const below = all(
      childrenOf(parsed).map((child) => this.#manifest(source, destination, child.digest, depth + 1)),
    );
    const [children, blobs] = await Promise.all([below, all(this.#blobsOf(parsed, source, destination))]);
    return {
      source,
      destination,
      raw,
      children: children.filter((child) => child !== undefined),
      blobs: blobs.filter((blob) => blob !== undefined),
    };
  }

  async #read(source: Store, reference: Digest): Promise<RawManifest> {
    const read = await this.#ask(() => reading(source, () => source.readManifest(reference)));
    if (read.kind === "missing") throw missing(source, reference);
    if (read.manifest.digest !== reference) {
      throw new WerfError(
        "oci/digest-mismatch",
        `reading ${source.address}@${reference}: a manifest with the digest ${read.manifest.digest} came`,
      );
    }
    return read.manifest;
  }

  #blobsOf(manifest: Manifest, source: Store, destination: Store): Promise<PlannedBlob | undefined>[] {
    return blobsOf(manifest)
      .filter((descriptor) => !isForeignLayer(descriptor))
      .map((descriptor) => {
        const key = `${destinationKey(destination)}\n${descriptor.digest}`;
        const planned = this.#blobs.get(key) ?? this.#blob({ source, destination, descriptor });
        this.#blobs.set(key, planned);
        return planned;
      });
  }

  /** A blob with `urls` need not be in the registry (descriptor.md); it goes along when it is. */
  async #blob(blob: PlannedBlob): Promise<PlannedBlob | undefined> {
    const { source, descriptor } = blob;
    if ((descriptor.urls ?? []).length === 0) return blob;
    const stat = await this.#ask(() => reading(source, () => source.statBlob(descriptor.digest)));
    return stat.kind === "present" ? blob : undefined;
  }

  /** What is attached to a manifest and to its children; every digest is looked at once, so lies can't make a loop. */
  async #attachments(request: CopyRequest, subject: Digest): Promise<PlannedImage[]> {
    const { source, destination } = request;
    const key = `${destinationKey(destination)}\n${subject}`;
    if (this.#seenReferrers.has(key)) return [];
    this.#seenReferrers.add(key);
    const parsed = parseManifest(await this.#read(source, subject), `${source.address}@${subject}`);
    const ofChildren = await all(childrenOf(parsed).map((c) => this.#attachments(request, c.digest)));
    const own = [...(await this.#cosign(request, subject)), ...(await this.#referrers(request, subject))];
    const found = await all(
      own.map(async (attached) => {
        const image = await this.#image(attached, subject);
        return [image, ...(await this.#attachments(attached, image.digest))];
      }),
    );
    return [...found.flat(), ...ofChildren.flat()];
  }

  async #cosign({ source, destination }: CopyRequest, subject: Digest): Promise<CopyRequest[]> {
    const found = await all(
      cosignSuffixes.map(async (suffix) => {
        const tag = `${subject.split(":")[0]}-${hexOf(subject)}.${suffix}`;
        const stat = await this.#ask(() => reading(source, () => source.statManifest(tag)));
        return stat.kind === "missing" ? [] : [{ source, destination, reference: tag, tags: [tag] }];
      }),
    );
    return found.flat();
  }

  async #referrers({ source, destination }: CopyRequest, subject: Digest): Promise<CopyRequest[]> {
    const found = await this.#ask(() =>
      reading(source, async () => {
        const digests = new Set<Digest>();
        for await (const referrer of source.listReferrers(subject)) digests.add(referrer.digest);
        return digests;
      }),
    );
    return [...found].map((reference) => ({ source, destination, reference, tags: [] }));
  }

  /** One question at a time of those allowed; none after the first that failed. */
  #ask<T>(question: () => Promise<T>): Promise<T> {
    return this.#limit(async () => {
      if (this.#failure !== undefined) throw this.#failure.error;
      try {
        this.#signal.throwIfAborted();
        return await question();
      } catch (error) {
        this.#failure ??= { error };
        throw this.#failure.error;
      }
    });
  }
}

/** Every manifest once, what it needs before it, in the order of the images. */
function inOrder(images: readonly PlannedImage[]): PlannedManifest[] {
  const ordered = new Set<PlannedManifest>();
  const visit = (manifest: PlannedManifest): void => {
    if (ordered.has(manifest)) return;
    for (const child of manifest.children) visit(child);
    ordered.add(manifest);
  };
  for (const { manifest } of images) if (manifest !== undefined) visit(manifest);
  return [...ordered];
}

/** Like `Promise.all`, but waits for all of them before it throws the first error: nothing runs on unseen. */
async function all<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

function missing(source: Store, reference: string): WerfError {
  const separator = isDigest(reference) ? "@" : ":";
  return new WerfError("oci/manifest-missing", `${source.address}${separator}${reference} does not exist`, {
    hint: "it was deleted, never pushed, or you have no permission to read it",
  });
}
