import pLimit from "p-limit";
import { WerfError } from "../core/errors.js";
import type { RunContext } from "../core/run-context.js";
import { type CopyOptions, type CopyResult, copyImages } from "../oci/copy/copy-images.js";
import { type CopyPlanLine, type CopyRequest, copyPlanLines } from "../oci/copy/plan.js";
import { planCopy } from "../oci/copy/planner.js";
import type { Digest } from "../oci/digest.js";
import type { Store } from "../oci/store.js";
import { type Bundle, readBundle } from "./bundle.js";
import { type BundleImage, bundleImages, type FoundImage } from "./bundle-images.js";
import { type ChartArtifact, writeArtifactBlobs } from "./bundle-manifest.js";
import { bundleTag } from "./chart/version.js";
import type { NamingOptions } from "./chart-name.js";
import { relocatedChart } from "./relocated-chart.js";

export interface CopyBundleInput extends NamingOptions {
  readonly source: Store;
  /** A tag or a digest of the bundle. */
  readonly reference: string;
  readonly destination: Store;
  /** Of the bundle at the destination. */
  readonly tag: string;
  /**
   * `host/name` that the values shall name: the destination, or the address that clusters know it by. Absent, as
   * for archives: the bundle stays byte for byte what it is.
   */
  readonly rewriteFor?: string;
  /**
   * `digest` (default): images are taken by the digest that the values pin. `tag`: from sources that keep no
   * digests, such as werf's own archives; the values get the new ones.
   */
  readonly imagesBy?: "digest" | "tag";
  readonly layerType?: "helm" | "legacy";
  readonly copy?: CopyOptions;
}

/** Where an image came from and went to. */
export interface RelocatedImage {
  readonly name: string;
  /** As the values of the source had it. */
  readonly from: string;
  readonly to: string;
  readonly tag?: string;
  readonly digest: Digest;
}

export interface CopyBundleResult {
  /** `address:tag` at the destination. */
  readonly reference: string;
  readonly tag: string;
  /** Of the bundle at the destination. */
  readonly digest: Digest;
  readonly sourceDigest: Digest;
  readonly images: readonly RelocatedImage[];
  readonly copy: CopyResult;
}

/** What is known before anything is written. */
interface PreparedCopy {
  readonly tag: string;
  readonly bundle: Bundle;
  readonly images: readonly FoundImage[];
  readonly requests: readonly CopyRequest[];
  /** Absent: the bundle is copied as it is. */
  readonly relocated?: ChartArtifact;
  readonly options: CopyOptions;
}

/**
 * Copies a bundle with all its images: whole indexes, by digest, images first and the bundle's tag last, so that
 * nothing half-copied is ever under a tag.
 * @throws WerfError `bundle/image-missing`, `bundle/tag-taken`, what `readBundle`, `copyImages` and the stores throw
 */
export async function copyBundle(
  run: Pick<RunContext, "signal" | "emit">,
  input: CopyBundleInput,
): Promise<CopyBundleResult> {
  const { source, destination } = input;
  const { tag, bundle, images, requests, relocated, options } = await prepare(run, input);
  const copied = await copyImages(run, requests, options);
  if (relocated === undefined) {
    await copyImages(run, [{ source, destination, reference: bundle.digest, tags: [tag] }], options);
  } else {
    const there = await destination.statManifest(tag);
    if (there.kind === "missing" || there.descriptor.digest !== relocated.manifest.digest) {
      await writeArtifactBlobs(destination, relocated);
      await destination.writeManifest(relocated.manifest, tag);
    }
  }
  return {
    reference: `${destination.address}:${tag}`,
    tag,
    digest: relocated?.manifest.digest ?? bundle.digest,
    sourceDigest: bundle.digest,
    images: images.map((image) => relocatedImage(image, input.rewriteFor)),
    copy: copied,
  };
}

/** What `copyBundle` would do with the same input, as lines; writes nothing. */
export async function planBundleCopy(
  run: Pick<RunContext, "signal" | "emit">,
  input: CopyBundleInput,
): Promise<readonly CopyPlanLine[]> {
  const { source, destination } = input;
  const { tag, bundle, requests, relocated, options } = await prepare(run, input);
  const asItIs = { source, destination, reference: bundle.digest, tags: [tag] };
  if (relocated === undefined) return copyPlanLines(await planCopy(run, [...requests, asItIs], options));
  const lines = copyPlanLines(await planCopy(run, requests, options));
  const there = await destination.statManifest(tag);
  const isThere = there.kind === "present" && there.descriptor.digest === relocated.manifest.digest;
  return [
    ...lines,
    {
      action: isThere ? "keep" : "write-tag",
      from: source.address,
      to: destination.address,
      digest: relocated.manifest.digest,
      tag,
      reason: isThere ? "the bundle is there" : "the bundle, with values for its new place",
    },
  ];
}

async function prepare(
  run: Pick<RunContext, "signal" | "emit">,
  input: CopyBundleInput,
): Promise<PreparedCopy> {
  const { source, destination, rewriteFor } = input;
  const tag = bundleTag(input.tag);
  const bundle = await readBundle(source, input.reference);
  const images = await findImages(run, bundle, input);
  checkTags(bundle, images, tag);
  const requests = images.map(
    (image): CopyRequest => ({
      source,
      destination,
      reference: image.digest,
      tags: image.tag === undefined ? [] : [image.tag],
    }),
  );
  const options = { referrers: true, ...input.copy };
  const common = { tag, bundle, images, requests: unique(requests), options };
  if (rewriteFor === undefined) return common;
  return {
    ...common,
    relocated: await relocatedChart(bundle, images, { ...input, repository: rewriteFor, tag }),
  };
}

/** One request per digest and tag: images may share both. */
function unique(requests: readonly CopyRequest[]): CopyRequest[] {
  return [...new Map(requests.map((r) => [`${r.reference} ${r.tags.join()}`, r])).values()];
}

async function findImages(
  run: Pick<RunContext, "signal" | "emit">,
  bundle: Bundle,
  input: CopyBundleInput,
): Promise<readonly FoundImage[]> {
  const limit = pLimit(8);
  const answers = await Promise.allSettled(
    bundleImages(bundle).map((image) =>
      limit(() => {
        run.signal.throwIfAborted();
        return input.imagesBy === "tag"
          ? findByTag(run, bundle, image, input)
          : find(run, bundle, image, input);
      }),
    ),
  );
  return answers.map((answer) => {
    if (answer.status === "rejected") throw answer.reason;
    return answer.value;
  });
}

/** One question where the tag still points at the digest. */
async function find(
  run: Pick<RunContext, "emit">,
  bundle: Bundle,
  image: BundleImage,
  { source }: CopyBundleInput,
): Promise<FoundImage> {
  const { tag, digest } = image;
  const tagged = tag === undefined ? undefined : await source.statManifest(tag);
  const isTagged = tagged?.kind === "present";
  if (isTagged && (digest === undefined || tagged.descriptor.digest === digest)) {
    return { ...image, digest: tagged.descriptor.digest };
  }
  if (digest === undefined || (await source.statManifest(digest)).kind === "missing") {
    throw imageMissing(bundle, image, source);
  }
  if (isTagged) {
    run.emit({
      code: "warning",
      id: "bundle/tag-moved",
      message: `${source.address}:${tag} points at ${tagged.descriptor.digest} now; the bundle ${bundle.address} needs ${digest}, which is what is copied`,
    });
  }
  return { ...image, digest };
}

async function findByTag(
  run: Pick<RunContext, "emit">,
  bundle: Bundle,
  image: BundleImage,
  { source }: CopyBundleInput,
): Promise<FoundImage> {
  const stat = image.tag === undefined ? undefined : await source.statManifest(image.tag);
  if (stat?.kind !== "present") throw imageMissing(bundle, image, source);
  const { digest } = stat.descriptor;
  if (image.digest !== undefined && image.digest !== digest) {
    run.emit({
      code: "warning",
      id: "bundle/digest-changed",
      message: `the image "${image.name}" of ${bundle.address} had the digest ${image.digest} and has ${digest} now: archives of werf don't keep digests, and only one platform`,
      hint: "copy from the registry, or from an archive that werf-ts wrote, to keep digests, platforms and signatures",
    });
  }
  return { ...image, digest };
}

function imageMissing(bundle: Bundle, image: BundleImage, source: Store): WerfError {
  const at = [image.tag, image.digest].filter((part) => part !== undefined).join("@");
  const elsewhere =
    image.repository === source.address ? "" : `; the bundle's values name it at ${image.repository}`;
  return new WerfError(
    "bundle/image-missing",
    `the bundle ${bundle.address} needs the image "${image.name}" (${at}), which ${source.address} does not have${elsewhere}`,
    {
      hint: "it was cleaned up or never copied there: publish the bundle again, or copy from its first place",
    },
  );
}

/** Every tag means one digest at the destination, and none is the bundle's own. */
function checkTags(bundle: Bundle, images: readonly FoundImage[], tag: string): void {
  const digests = new Map<string, Digest>();
  for (const image of images) {
    if (image.tag === undefined) continue;
    const other = digests.get(image.tag);
    if (image.tag === tag || (other !== undefined && other !== image.digest)) {
      const by = image.tag === tag ? "the bundle itself" : other;
      throw new WerfError(
        "bundle/tag-taken",
        `copying ${bundle.address}: the image "${image.name}" needs the tag "${image.tag}", as does ${by}`,
        { hint: "choose another tag for the bundle", exitCode: 2 },
      );
    }
    digests.set(image.tag, image.digest);
  }
}

function relocatedImage(image: FoundImage, rewriteFor: string | undefined): RelocatedImage {
  const { name, repository, tag, digest } = image;
  const suffix = `${tag === undefined ? "" : `:${tag}`}@${digest}`;
  return {
    name,
    from: `${repository}${suffix}`,
    to: `${rewriteFor ?? repository}${suffix}`,
    digest,
    ...(tag === undefined ? {} : { tag }),
  };
}
