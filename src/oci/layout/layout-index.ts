import { WerfError } from "../../core/errors.js";
import type { Descriptor } from "../descriptor.js";
import { type Digest, isDigest } from "../digest.js";
import { parseDescriptor, parseJsonObject } from "../manifest.js";
import { mediaTypes } from "../media-types.js";
import type { ManifestReference } from "../store.js";

/** annotations.md of the OCI image specification: what stands for a tag in a layout. */
export const refNameAnnotation = "org.opencontainers.image.ref.name";
/** containerd's full name of the image; it says the same as the tag, so it goes with it. */
const containerdNameAnnotation = "io.containerd.image.name";

/** 100,000 tags are about 30 MB. */
export const maxIndexBytes: number = 64 * 1024 * 1024;

export const indexFileName = "index.json";

/**
 * `index.json` of a layout (image-layout.md): the manifests that have a tag, and the untagged ones that no index
 * among them contains. Other fields and annotations are kept.
 */
export class LayoutIndex {
  readonly #rest: Readonly<Record<string, unknown>>;
  /** More than one descriptor under a tag is allowed by the standard, and of no use to us. */
  readonly #tagged = new Map<string, readonly Descriptor[]>();
  readonly #untagged = new Map<Digest, Descriptor>();
  readonly #tagsOf = new Map<Digest, Set<string>>();

  private constructor(rest: Readonly<Record<string, unknown>>) {
    this.#rest = rest;
  }

  static empty(): LayoutIndex {
    return new LayoutIndex({});
  }

  /** @throws WerfError `oci/layout-invalid`, `oci/manifest-invalid` */
  static parse(bytes: Uint8Array, source: string): LayoutIndex {
    const { manifests, schemaVersion, ...rest } = parseJsonObject(bytes, source);
    if (schemaVersion !== 2 || !Array.isArray(manifests)) {
      throw new WerfError("oci/layout-invalid", `${source} is not the index of an OCI image layout`, {
        hint: "it must have schemaVersion 2 and a list of manifests",
      });
    }
    const index = new LayoutIndex(rest);
    manifests.forEach((item, i) => {
      index.#add(parseDescriptor(item, `manifests[${i}]`, source));
    });
    return index;
  }

  #add(descriptor: Descriptor): void {
    const tag = descriptor.annotations?.[refNameAnnotation];
    if (typeof tag !== "string" || tag === "") {
      if (!this.has(descriptor.digest)) this.#untagged.set(descriptor.digest, descriptor);
      return;
    }
    const others = this.#tagged.get(tag) ?? [];
    if (others.every((other) => other.digest !== descriptor.digest)) {
      this.#tagged.set(tag, [...others, descriptor]);
    }
    this.#tagsOf.set(descriptor.digest, (this.#tagsOf.get(descriptor.digest) ?? new Set()).add(tag));
    this.#untagged.delete(descriptor.digest);
  }

  /** Everything that is listed; a manifest once per tag. Sorted: the tagged by tag, then the others by digest. */
  entries(): readonly Descriptor[] {
    const tagged = [...this.#tagged]
      .sort(([a], [b]) => compare(a, b))
      .flatMap(([, descriptors]) => descriptors);
    return [...tagged, ...[...this.#untagged.values()].sort((a, b) => compare(a.digest, b.digest))];
  }

  tags(): readonly string[] {
    return [...this.#tagged.keys()].sort(compare);
  }

  /** About how many entries it has. */
  get size(): number {
    return this.#tagged.size + this.#untagged.size;
  }

  hasTag(tag: string): boolean {
    return this.#tagged.has(tag);
  }

  has(digest: Digest): boolean {
    return this.#tagsOf.has(digest) || this.#untagged.has(digest);
  }

  /** @throws WerfError `oci/layout-ambiguous-tag` */
  find(reference: ManifestReference, source: string): Descriptor | undefined {
    if (isDigest(reference)) {
      const tag = this.#tagsOf.get(reference)?.values().next().value;
      if (tag === undefined) return this.#untagged.get(reference);
      return this.#tagged.get(tag)?.find(({ digest }) => digest === reference);
    }
    const found = this.#tagged.get(reference) ?? [];
    if (found.length > 1) {
      throw new WerfError(
        "oci/layout-ambiguous-tag",
        `${source} has ${found.length} manifests under the tag "${reference}"`,
        { hint: `name the one you mean by its digest: ${found.map((d) => d.digest).join(", ")}` },
      );
    }
    return found[0];
  }

  /** Lists a manifest, under the tag when given; the tag leaves the manifest that had it, which stays. */
  put(descriptor: Descriptor, tag?: string): void {
    if (tag === undefined) {
      this.#add(withoutTag(descriptor));
      return;
    }
    this.removeTag(tag);
    const annotations = { ...withoutTag(descriptor).annotations, [refNameAnnotation]: tag };
    this.#add({ ...descriptor, annotations });
  }

  /** Takes a tag away; its manifest stays listed. */
  removeTag(tag: string): boolean {
    const descriptors = this.#tagged.get(tag) ?? [];
    this.#tagged.delete(tag);
    for (const descriptor of descriptors) {
      const tags = this.#tagsOf.get(descriptor.digest);
      tags?.delete(tag);
      if (tags?.size === 0) {
        this.#tagsOf.delete(descriptor.digest);
        this.#untagged.set(descriptor.digest, withoutTag(descriptor));
      }
    }
    return descriptors.length > 0;
  }

  /** Takes a manifest and its tags away. */
  removeManifest(digest: Digest): void {
    for (const tag of [...(this.#tagsOf.get(digest) ?? [])]) {
      const others = (this.#tagged.get(tag) ?? []).filter((d) => d.digest !== digest);
      if (others.length === 0) this.#tagged.delete(tag);
      else this.#tagged.set(tag, others);
    }
    this.#tagsOf.delete(digest);
    this.#untagged.delete(digest);
  }

  /** Takes a manifest from the list unless it has a tag: an index contains it now. */
  unlist(digest: Digest): void {
    this.#untagged.delete(digest);
  }

  toBytes(): Uint8Array {
    const json = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      ...this.#rest,
      manifests: this.entries(),
    };
    return Buffer.from(JSON.stringify(json));
  }
}

function withoutTag({ annotations, ...descriptor }: Descriptor): Descriptor {
  const { [refNameAnnotation]: _tag, [containerdNameAnnotation]: _name, ...others } = annotations ?? {};
  return Object.keys(others).length === 0 ? descriptor : { ...descriptor, annotations: others };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
