import { WerfError } from "../core/errors.js";
import type { Descriptor } from "../oci/descriptor.js";
import { type Digest, isDigest } from "../oci/digest.js";
import { parseManifest } from "../oci/manifest.js";
import { formatRepository, isTag, parseReference, type Reference } from "../oci/reference.js";
import { type Bundle, type BundleStore, isBundleManifest, readBundle } from "./bundle.js";
import { imageLockPath, parseImageLock } from "./image-lock.js";

/** An image that a bundle needs; at least one of tag and digest is there. */
export interface BundleImage {
  /** "" for the nameless one. */
  readonly name: string;
  /** `host/name`, as the values have it. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** An image of a bundle as it was found in a store. */
export interface FoundImage extends BundleImage {
  readonly digest: Digest;
}

const maxImages = 10_000;

/**
 * Every image that a bundle names: `werf.image`, the nameless one, `global.werf.images` and the lock, one entry
 * for each name and address. A digest known from one of them counts for all with the same address.
 * @throws WerfError `bundle/values-invalid`, `bundle/lock-invalid`
 */
export function bundleImages(bundle: Bundle): readonly BundleImage[] {
  const found = [...fromWerf(bundle), ...fromGlobal(bundle), ...fromLock(bundle)];
  if (found.length > maxImages) throw invalid(bundle, `it names ${found.length} images`);
  const images = new Map<string, BundleImage>();
  for (const image of found) {
    const key = [image.name, image.repository, image.tag ?? image.digest].join("\n");
    const known = images.get(key);
    if (known?.digest !== undefined && image.digest !== undefined && known.digest !== image.digest) {
      throw invalid(
        bundle,
        `the image "${image.name}" (${image.repository}:${image.tag}) has two digests: ${known.digest} and ${image.digest}`,
      );
    }
    images.set(key, { ...known, ...image });
  }
  return [...images.values()];
}

function fromWerf(bundle: Bundle): BundleImage[] {
  const named = Object.entries(mapAt(bundle, ["werf", "image"]));
  const nameless = bundle.values.get(["werf", "nameless_image"]);
  const all = nameless === undefined ? named : [...named, ["", nameless] as const];
  return all.map(([name, value]) => {
    const reference = referenceOf(bundle, name, value);
    return { name, ...location(bundle, name, reference) };
  });
}

function fromGlobal(bundle: Bundle): BundleImage[] {
  return Object.entries(mapAt(bundle, ["global", "werf", "images"])).map(([name, value]) => {
    const { image, tag, digest } = (value ?? {}) as Record<string, unknown>;
    const { repository } = referenceOf(bundle, name, image);
    const isTagged = typeof tag === "string" && isTag(tag);
    const isPinned = typeof digest === "string" && isDigest(digest);
    if (!isTagged && !isPinned) throw invalid(bundle, `the image "${name}" has neither a tag nor a digest`);
    return {
      name,
      repository: formatRepository(repository),
      ...(isTagged ? { tag } : {}),
      ...(isPinned ? { digest } : {}),
    };
  });
}

function fromLock(bundle: Bundle): readonly BundleImage[] {
  const bytes = bundle.chart.files.get(imageLockPath);
  return bytes === undefined ? [] : parseImageLock(bytes, bundle.address);
}

function mapAt(bundle: Bundle, path: readonly string[]): Record<string, unknown> {
  const value = bundle.values.get(path) ?? {};
  if (typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  throw invalid(bundle, `"${path.join(".")}" is not a map`);
}

function referenceOf(bundle: Bundle, name: string, value: unknown): Reference {
  if (typeof value !== "string") throw invalid(bundle, `the image "${name}" has no address`);
  try {
    return parseReference(value);
  } catch (cause) {
    throw invalid(bundle, `the image "${name}": ${(cause as Error).message}`, cause);
  }
}

function location(bundle: Bundle, name: string, reference: Reference): Omit<BundleImage, "name"> {
  const { repository, tag, digest } = reference;
  if (tag === undefined && digest === undefined) {
    throw invalid(
      bundle,
      `the image "${name}" (${formatRepository(repository)}) has neither a tag nor a digest`,
    );
  }
  return {
    repository: formatRepository(repository),
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

function invalid(bundle: Bundle, what: string, cause?: unknown): WerfError {
  return new WerfError("bundle/values-invalid", `the values of the bundle ${bundle.address}: ${what}`, {
    cause,
    hint: "it was not made by `werf bundle publish`, or was changed since: publish it again",
  });
}

/** What a bundle keeps alive in its repository. */
export type BundleRoots =
  | { readonly kind: "other" }
  | { readonly kind: "bundle"; readonly tags: readonly string[]; readonly digests: readonly Digest[] };

/**
 * What must not be deleted for the sake of one manifest: nothing unless it is a bundle, whose images count by tag
 * and by digest, whatever repository its values name.
 * @throws WerfError when it is a bundle that can't be read: then nobody knows what it needs
 */
export async function bundleRoots(
  store: BundleStore,
  descriptor: Pick<Descriptor, "digest">,
): Promise<BundleRoots> {
  const read = await store.readManifest(descriptor.digest);
  if (read.kind === "missing") return { kind: "other" };
  const manifest = parseManifest(read.manifest, `${store.address}@${descriptor.digest}`);
  if (!isBundleManifest(manifest)) return { kind: "other" };
  const bundle = await readBundle(
    { ...readers(store), readManifest: () => Promise.resolve(read) },
    descriptor.digest,
  );
  const images = bundleImages(bundle);
  return {
    kind: "bundle",
    tags: [...new Set(images.flatMap((image) => image.tag ?? []))],
    digests: [...new Set(images.flatMap((image) => image.digest ?? []))],
  };
}

/** The store's methods, bound, so that one can be replaced. */
function readers(store: BundleStore): BundleStore {
  return {
    address: store.address,
    statBlob: (digest) => store.statBlob(digest),
    readBlob: (blob) => store.readBlob(blob),
    statManifest: (reference) => store.statManifest(reference),
    readManifest: (reference) => store.readManifest(reference),
  };
}
