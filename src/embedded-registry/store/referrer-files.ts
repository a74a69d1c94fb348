import type { Descriptor } from "../../oci/descriptor.js";
import type { Digest } from "../../oci/digest.js";
import { descriptorOf, type Manifest, type RawManifest } from "../../oci/manifest.js";
import { namesIn, readSmall, removeFile, type Staging } from "./files.js";
import type { RepositoryLayout } from "./layout.js";

/** The subject that a manifest refers to. */
export function subjectOf(manifest: Manifest): Descriptor | undefined {
  return manifest.kind === "unknown" ? undefined : manifest.subject;
}

/**
 * For every subject, the descriptors of what refers to it: written before the manifest and removed after it, so an
 * entry without its manifest is one that isn't there (yet, or any more).
 */
export class ReferrerFiles {
  readonly #layout: RepositoryLayout;
  readonly #staging: Staging;

  constructor(layout: RepositoryLayout, staging: Staging) {
    this.#layout = layout;
    this.#staging = staging;
  }

  /** Does nothing for a manifest without a subject. */
  async add(raw: RawManifest, manifest: Manifest): Promise<void> {
    const subject = subjectOf(manifest);
    if (subject === undefined) return;
    const path = this.#layout.referrer(subject.digest, raw.digest);
    const text = JSON.stringify(describe(raw, manifest));
    if ((await readSmall(path)) !== text) await this.#staging.writeFile(path, text);
  }

  /** In the order of their digests. */
  async *list(subject: Digest): AsyncGenerator<Descriptor> {
    const names = await namesIn(this.#layout.referrers(subject));
    for (const name of names.sort()) {
      const text = await readSmall(this.#layout.referrer(subject, name.replace("-", ":") as Digest));
      if (text !== undefined) yield JSON.parse(text) as Descriptor;
    }
  }

  async remove(subject: Digest, referrer: Digest): Promise<void> {
    await removeFile(this.#layout.referrer(subject, referrer));
  }
}

/** distribution-spec, "Listing Referrers": the artifact type of an image without one is its config's media type. */
function describe(raw: RawManifest, manifest: Manifest): Descriptor {
  const base = descriptorOf(raw);
  if (manifest.kind === "unknown") return base;
  const artifactType =
    manifest.artifactType ?? (manifest.kind === "image" ? manifest.config.mediaType : undefined);
  return {
    ...base,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(Object.keys(manifest.annotations).length === 0 ? {} : { annotations: manifest.annotations }),
  };
}
