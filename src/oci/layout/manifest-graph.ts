import pLimit from "p-limit";
import { WerfError } from "../../core/errors.js";
import type { Descriptor } from "../descriptor.js";
import type { Digest } from "../digest.js";
import { blobsOf, childrenOf, maxIndexDepth } from "../graph.js";
import { descriptorOf, type Manifest, parseManifest, type RawManifest } from "../manifest.js";

const readsAtOnce = 16;

/** What the layout knows of one manifest. */
export interface KnownManifest {
  /** With artifact type and annotations, as the distribution specification wants referrers listed. */
  readonly descriptor: Descriptor;
  readonly children: readonly Digest[];
  readonly blobs: readonly Digest[];
  readonly subject?: Digest;
  /** Whether its media type is one that we can look into. */
  readonly isUnderstood: boolean;
}

/** The manifests of a layout: those that `index.json` lists, and those that these contain. */
export class ManifestGraph {
  readonly #known = new Map<Digest, KnownManifest>();
  readonly #parents = new Map<Digest, Set<Digest>>();
  readonly #referrers = new Map<Digest, Set<Digest>>();
  readonly #source: string;

  constructor(source: string) {
    this.#source = source;
  }

  /**
   * Reads what is listed and everything below it. A child that isn't there is passed over: layouts of a single
   * platform keep the whole index.
   * @throws WerfError `oci/index-too-deep`, `oci/manifest-invalid` and what `read` throws
   */
  async load(
    entries: Iterable<Descriptor>,
    read: (descriptor: Descriptor, isListed: boolean) => Promise<RawManifest | undefined>,
  ): Promise<void> {
    const limit = pLimit(readsAtOnce);
    let level = [...entries];
    for (let depth = 0; level.length > 0; depth++) {
      if (depth > maxIndexDepth) {
        throw new WerfError(
          "oci/index-too-deep",
          `${this.#source}: indexes lie in indexes more than ${maxIndexDepth} deep, at ${level[0]?.digest}`,
        );
      }
      const unknown = new Map(level.filter((d) => !this.#known.has(d.digest)).map((d) => [d.digest, d]));
      const below = await Promise.all(
        [...unknown.values()].map((descriptor) =>
          limit(async () => {
            const raw = await read(descriptor, depth === 0);
            return raw === undefined ? [] : childrenOf(this.add(raw));
          }),
        ),
      );
      level = below.flat();
    }
  }

  add(raw: RawManifest): Manifest {
    const manifest = parseManifest(raw, `${this.#source} (${raw.digest})`);
    const known = knownFrom(raw, manifest);
    this.#known.set(raw.digest, known);
    for (const child of known.children) addTo(this.#parents, child, raw.digest);
    if (known.subject !== undefined) addTo(this.#referrers, known.subject, raw.digest);
    return manifest;
  }

  get(digest: Digest): KnownManifest | undefined {
    return this.#known.get(digest);
  }

  all(): IterableIterator<KnownManifest> {
    return this.#known.values();
  }

  /** The indexes that contain it. */
  parentsOf(digest: Digest): readonly Digest[] {
    return [...(this.#parents.get(digest) ?? [])];
  }

  referrersOf(subject: Digest): readonly Descriptor[] {
    return [...(this.#referrers.get(subject) ?? [])].flatMap((d) => this.#known.get(d)?.descriptor ?? []);
  }

  remove(digest: Digest): void {
    const known = this.#known.get(digest);
    this.#known.delete(digest);
    for (const child of known?.children ?? []) this.#parents.get(child)?.delete(digest);
    if (known?.subject !== undefined) this.#referrers.get(known.subject)?.delete(digest);
  }
}

function addTo(map: Map<Digest, Set<Digest>>, key: Digest, value: Digest): void {
  map.set(key, (map.get(key) ?? new Set()).add(value));
}

function knownFrom(raw: RawManifest, manifest: Manifest): KnownManifest {
  if (manifest.kind === "unknown") {
    return { descriptor: descriptorOf(raw), children: [], blobs: [], isUnderstood: false };
  }
  const ofConfig = manifest.kind === "image" ? manifest.config.mediaType : undefined;
  const artifactType = manifest.artifactType ?? ofConfig;
  const { annotations, subject } = manifest;
  return {
    descriptor: {
      ...descriptorOf(raw),
      ...(artifactType === undefined ? {} : { artifactType }),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    },
    children: childrenOf(manifest).map((child) => child.digest),
    blobs: blobsOf(manifest).map((blob) => blob.digest),
    ...(subject === undefined ? {} : { subject: subject.digest }),
    isUnderstood: true,
  };
}
