import type { HttpResponse } from "../../core/http.js";
import type { Descriptor } from "../../oci/descriptor.js";
import { algorithmOf, type Digest, hexOf } from "../../oci/digest.js";
import {
  descriptorOf,
  type Manifest,
  manifestFromJson,
  maxManifestBytes,
  parseManifest,
  type RawManifest,
} from "../../oci/manifest.js";
import { mediaTypes } from "../../oci/media-types.js";
import { isHtml } from "./answer.js";
import type { Endpoint } from "./endpoint.js";
import { putManifest, readManifest } from "./manifest.js";
import { Pages } from "./page.js";

const maxUpdates = 5;
const updatePauseMs = 200;

/** The tag that stands in for the referrers API: distribution-spec, "Referrers Tag Schema". */
export function referrersTag(subject: Digest): string {
  return `${algorithmOf(subject)}-${hexOf(subject).slice(0, 64)}`;
}

/** Referrers of one repository: the API, or the tag schema once the API has turned out not to be there. */
export class Referrers {
  readonly #endpoint: Endpoint;
  #apiMissing = false;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  async *list(subject: Digest): AsyncGenerator<Descriptor> {
    const seen = new Set<string>([subject]);
    const found = (await this.#fromApi(subject)) ?? (await this.#fromTag(subject)) ?? [];
    yield* found.filter((d) => !seen.has(d.digest) && seen.add(d.digest));
  }

  /**
   * Notes a manifest with a subject in the tag schema, where the registry doesn't do it itself. There is no
   * compare-and-swap: what another writer overwrote is written again.
   */
  async noteInTag(manifest: RawManifest, parsed: Manifest, subject: Digest): Promise<void> {
    const { run, address } = this.#endpoint;
    const entry = referrerDescriptor(manifest, parsed);
    const tag = referrersTag(subject);
    for (let update = 0; update <= maxUpdates; update++) {
      const known = await this.#fromTag(subject);
      if (known === undefined)
        return this.#warn(`${address}:${tag} is something else than a list of referrers`);
      if (known.some((d) => d.digest === entry.digest)) return;
      if (update > 0) await run.clock.sleep(updatePauseMs * update, run.signal);
      const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [...known, entry] };
      await putManifest(this.#endpoint, manifestFromJson(index, mediaTypes.ociIndex), tag);
    }
    this.#warn(`${address}:${tag} is written by others all the time`);
  }

  /** `undefined`: there is no such API. */
  async #fromApi(subject: Digest): Promise<readonly Descriptor[] | undefined> {
    const found: Descriptor[] = [];
    const pages = new Pages(this.#endpoint);
    let path: string | URL | undefined = `referrers/${subject}`;
    while (path !== undefined && !this.#apiMissing) {
      const { response, bytes } = await this.#endpoint.requestBytes(
        { method: "GET", path, headers: { accept: mediaTypes.ociIndex }, redirect: "manual" },
        maxManifestBytes,
      );
      if (bytes === undefined || isHtml(response)) {
        if (!lacksApi(response) || path instanceof URL) {
          throw await this.#endpoint.error(
            response,
            `list the referrers of ${this.#endpoint.address}@${subject}`,
          );
        }
        await response.discard();
        this.#apiMissing = true;
        break;
      }
      const page = indexEntries(
        { bytes, mediaType: mediaTypes.ociIndex, digest: subject },
        this.#endpoint.address,
      );
      found.push(...page);
      path = await pages.next(response, page.length);
    }
    return this.#apiMissing ? undefined : found;
  }

  /** `undefined`: the tag is there, but is no list of referrers. GitLab takes the tag for the digest itself. */
  async #fromTag(subject: Digest): Promise<readonly Descriptor[] | undefined> {
    const read = await readManifest(this.#endpoint, referrersTag(subject));
    if (read.kind === "missing") return [];
    if (read.manifest.digest === subject) return undefined;
    const parsed = parseManifest(read.manifest, this.#endpoint.address);
    return parsed.kind === "index" ? parsed.manifests : undefined;
  }

  #warn(message: string): void {
    this.#endpoint.run.emit({
      code: "warning",
      id: "registry/referrers-tag",
      message,
      hint: "tools that look for signatures and attestations by their subject won't find the new one",
    });
  }
}

function lacksApi(response: HttpResponse): boolean {
  const { status } = response;
  return (
    status === 404 || status === 405 || status === 501 || (status >= 300 && status < 400) || isHtml(response)
  );
}

function indexEntries(raw: RawManifest, address: string): readonly Descriptor[] {
  const parsed = parseManifest(raw, `the list of referrers of ${address}`);
  return parsed.kind === "index" ? parsed.manifests : [];
}

/** With the fields that a list of referrers has: distribution-spec, "Listing Referrers". */
function referrerDescriptor(manifest: RawManifest, parsed: Manifest): Descriptor {
  const descriptor = descriptorOf(manifest);
  if (parsed.kind === "unknown") return descriptor;
  const artifactType = parsed.artifactType ?? (parsed.kind === "image" ? parsed.config.mediaType : undefined);
  return {
    ...descriptor,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(Object.keys(parsed.annotations).length === 0 ? {} : { annotations: parsed.annotations }),
  };
}
