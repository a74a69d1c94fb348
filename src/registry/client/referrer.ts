import type { HttpResponse } from "../../core/http.js";
import type { Descriptor } from "../../oci/descriptor.js";
import { algorithmOf, type Digest, digestOf, hexOf } from "../../oci/digest.js";
import {
  descriptorOf,
  type Manifest,
  manifestFromJson,
  maxManifestBytes,
  parseManifest,
  type RawManifest,
  rawManifest,
} from "../../oci/manifest.js";
import { mediaTypes } from "../../oci/media-types.js";
import { isHtml } from "./answer.js";
import { deleteReference } from "./deletion.js";
import type { Endpoint } from "./endpoint.js";
import { putManifest, readManifest, statManifest } from "./manifest.js";
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
  /** `undefined`: nobody has asked yet. */
  #hasApi: boolean | undefined;

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
      await this.#putList(subject, [...known, entry]);
    }
    this.#warn(`${address}:${tag} is written by others all the time`);
  }

  /** Whether lists of referrers are kept under tags here, by the clients. */
  async areInTags(): Promise<boolean> {
    // Any digest will do: a registry with the API answers with an empty list.
    if (this.#hasApi === undefined) await this.#fromApi(digestOf(""));
    return this.#hasApi === false;
  }

  /** Takes a deleted manifest from its subject's list; the last one takes the list along. */
  async dropFromTag(deleted: Digest, subject: Digest): Promise<void> {
    const known = (await this.#fromTag(subject)) ?? [];
    const rest = known.filter((d) => d.digest !== deleted);
    if (rest.length === known.length) return;
    if (rest.length > 0) return this.#putList(subject, rest);
    const list = await statManifest(this.#endpoint, referrersTag(subject));
    if (list.kind === "present") await deleteReference(this.#endpoint, list.descriptor.digest);
  }

  /** `undefined`: there is no such API. */
  async #fromApi(subject: Digest): Promise<readonly Descriptor[] | undefined> {
    if (this.#hasApi === false) return undefined;
    const found: Descriptor[] = [];
    const pages = new Pages(this.#endpoint);
    let path: string | URL | undefined = `referrers/${subject}`;
    while (path !== undefined) {
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
        this.#hasApi = false;
        return undefined;
      }
      this.#hasApi = true;
      const page = listEntries(bytes, this.#endpoint.address);
      found.push(...page);
      path = await pages.next(response, page.length);
    }
    return found;
  }

  /** `undefined`: the tag is there, but is no list of referrers. GitLab takes the tag for the digest itself. */
  async #fromTag(subject: Digest): Promise<readonly Descriptor[] | undefined> {
    const read = await readManifest(this.#endpoint, referrersTag(subject));
    if (read.kind === "missing") return [];
    if (read.manifest.digest === subject) return undefined;
    const parsed = parseManifest(read.manifest, this.#endpoint.address);
    return parsed.kind === "index" ? parsed.manifests : undefined;
  }

  async #putList(subject: Digest, manifests: readonly Descriptor[]): Promise<void> {
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
    await putManifest(this.#endpoint, manifestFromJson(index, mediaTypes.ociIndex), referrersTag(subject));
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

function listEntries(bytes: Uint8Array, address: string): readonly Descriptor[] {
  const raw = rawManifest(bytes, mediaTypes.ociIndex);
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
