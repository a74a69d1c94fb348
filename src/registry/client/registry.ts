import type { Readable } from "node:stream";
import type { BodySource } from "../../core/http.js";
import type { RunContext } from "../../core/run-context.js";
import type { DeleteResult, DeletionRules } from "../../oci/deletion.js";
import type { Descriptor } from "../../oci/descriptor.js";
import { algorithmOf, type Digest } from "../../oci/digest.js";
import { parseManifest, type RawManifest } from "../../oci/manifest.js";
import type { RepositoryName } from "../../oci/reference.js";
import type { BlobStat, BlobWrite, ManifestRead, ManifestStat, Store } from "../../oci/store.js";
import { detectVendor } from "../vendors/index.js";
import { readBlob, statBlob } from "./blob.js";
import { deleteReference, probeTagDeletion } from "./deletion.js";
import { Endpoint } from "./endpoint.js";
import { registryHost } from "./host.js";
import { putManifest, readManifest, statManifest } from "./manifest.js";
import { Referrers } from "./referrer.js";
import { listTags, statRepository } from "./tag.js";
import { type Blob, mountBlob, uploadBlob } from "./upload.js";

export interface RegistryOptions {
  /** Plain HTTP is allowed where TLS isn't spoken (`--insecure-registry`); for loopback addresses it always is. */
  readonly insecure: boolean;
  /** `--docker-config`; default: the environment's, `~/.docker`. */
  readonly dockerConfigDir?: string;
  /**
   * What permissions are asked for from the first request on; a token that turns out too narrow costs one more.
   * With `pull`, nothing but what was called for is sent: how tags are deleted stays unknown.
   */
  readonly access: "pull" | "push" | "delete";
  /** The id of a vendor (`--repo-container-registry`); default: by the address. */
  readonly vendor?: string;
}

/** A repository in a registry. */
export interface Registry extends Store {
  readonly repository: RepositoryName;
  statRepository(): Promise<"present" | "missing">;
}

/**
 * Opens a repository. Nothing is sent until it is used; repositories of one host share their login.
 * @throws WerfError `registry/vendor-unknown`
 */
export function openRegistry(
  run: RunContext,
  repository: RepositoryName,
  options: RegistryOptions,
): Registry {
  return new RegistryStore(run, repository, options);
}

class RegistryStore implements Registry {
  readonly repository: RepositoryName;
  readonly address: string;
  readonly place: string;
  readonly #endpoint: Endpoint;
  readonly #referrers: Referrers;
  readonly #connect: () => Promise<{ readonly deletion: DeletionRules }>;
  /** Sizes of blobs that are there, so that no digest is asked for twice. */
  readonly #known = new Map<Digest, number>();
  #session: Promise<{ readonly deletion: DeletionRules }> | undefined;

  constructor(run: RunContext, repository: RepositoryName, options: RegistryOptions) {
    const { insecure, dockerConfigDir, access } = options;
    const host = registryHost(run, { host: repository.host, insecure, dockerConfigDir });
    const endpoint = new Endpoint(run, host, repository, access === "pull" ? ["pull"] : ["pull", "push"]);
    const vendor = detectVendor(repository, options.vendor);
    this.repository = repository;
    this.address = endpoint.address;
    this.place = repository.host;
    this.#endpoint = endpoint;
    this.#referrers = new Referrers(endpoint);
    const probe = (): ReturnType<typeof probeTagDeletion> => probeTagDeletion(endpoint);
    const registry = { probeTagDeletion: access === "pull" ? async () => "unknown" as const : probe };
    this.#connect = () => vendor.connect({ run, repository, registry });
  }

  async statBlob(digest: Digest): Promise<BlobStat> {
    const size = this.#known.get(digest);
    if (size !== undefined) return { kind: "present", size };
    const stat = await statBlob(this.#endpoint, digest);
    if (stat.kind === "present") this.#known.set(digest, stat.size);
    return stat;
  }

  readBlob(blob: { readonly digest: Digest; readonly size?: number }): Promise<Readable> {
    return readBlob(this.#endpoint, blob);
  }

  async writeBlob(blob: Blob, source: BodySource): Promise<BlobWrite> {
    if ((await this.statBlob(blob.digest)).kind === "present") return { kind: "exists" };
    await uploadBlob(this.#endpoint, blob, source);
    this.#known.set(blob.digest, blob.size);
    return { kind: "uploaded" };
  }

  async mountBlob(blob: Blob, from: Store): Promise<boolean> {
    if (!(from instanceof RegistryStore) || from.place !== this.place) return false;
    if (this.#known.has(blob.digest)) return true;
    const mounted = await mountBlob(this.#endpoint, blob.digest, from.repository);
    if (mounted) this.#known.set(blob.digest, blob.size);
    return mounted;
  }

  statManifest(reference: string): Promise<ManifestStat> {
    return statManifest(this.#endpoint, reference);
  }

  readManifest(reference: string): Promise<ManifestRead> {
    return readManifest(this.#endpoint, reference);
  }

  async writeManifest(manifest: RawManifest, tag?: string): Promise<void> {
    const parsed = parseManifest(manifest, `${this.address}@${manifest.digest}`);
    const hasReferrersApi = await this.#put(manifest, tag);
    if (parsed.kind === "unknown" || parsed.subject === undefined || hasReferrersApi) return;
    await this.#referrers.noteInTag(manifest, parsed, parsed.subject.digest);
  }

  listTags(): AsyncIterable<string> {
    return listTags(this.#endpoint);
  }

  listReferrers(subject: Digest): AsyncIterable<Descriptor> {
    return this.#referrers.list(subject);
  }

  async deletionRules(): Promise<DeletionRules> {
    this.#session ??= this.#connect();
    try {
      return (await this.#session).deletion;
    } catch (error) {
      this.#session = undefined;
      throw error;
    }
  }

  async deleteManifest(digest: Digest): Promise<DeleteResult> {
    const subject = (await this.#referrers.areInTags()) ? await this.#subjectOf(digest) : undefined;
    const result = await deleteReference(this.#endpoint, digest);
    if (subject !== undefined && result.kind === "deleted")
      await this.#referrers.dropFromTag(digest, subject);
    return result;
  }

  deleteTag(tag: string): Promise<DeleteResult> {
    return deleteReference(this.#endpoint, tag);
  }

  statRepository(): Promise<"present" | "missing"> {
    return statRepository(this.#endpoint);
  }

  async close(): Promise<void> {
    // Every write was finished when it returned.
  }

  async #subjectOf(digest: Digest): Promise<Digest | undefined> {
    const read = await this.readManifest(digest);
    if (read.kind === "missing") return undefined;
    const parsed = parseManifest(read.manifest, `${this.address}@${digest}`);
    return parsed.kind === "unknown" ? undefined : parsed.subject?.digest;
  }

  async #put(manifest: RawManifest, tag: string | undefined): Promise<boolean> {
    try {
      // By tag a registry computes sha256, so any other digest needs a PUT of its own.
      const byTag = tag !== undefined && algorithmOf(manifest.digest) === "sha256";
      const { hasReferrersApi } = await putManifest(this.#endpoint, manifest, byTag ? tag : manifest.digest);
      if (tag !== undefined && !byTag) await putManifest(this.#endpoint, manifest, tag);
      return hasReferrersApi;
    } catch (error) {
      // What we believed to be there may be gone.
      this.#known.clear();
      throw error;
    }
  }
}
