import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../core/errors.js";
import type { Descriptor } from "../../oci/descriptor.js";
import { type Digest, type DigestAlgorithm, digestOf, isDigest } from "../../oci/digest.js";
import { type Manifest, maxManifestBytes, parseManifest } from "../../oci/manifest.js";
import { isManifestType } from "../../oci/media-types.js";
import { exists, nameOfTaken, orMissing, readSmall, takenPath } from "./files.js";
import type { RepositoryLayout } from "./layout.js";
import { tagOfFileName } from "./names.js";
import { subjectOf } from "./referrer-files.js";
import { childrenOf, type EmbeddedRepository } from "./repository.js";

/** Room for the line with the media type. */
const maxFileBytes = maxManifestBytes + 1024;

export interface RepositoryCheckOptions {
  readonly report: (path: string, what: string) => void;
  readonly signal?: AbortSignal;
}

/** Looks at the files of one repository without its caches, and without changing one. */
export class RepositoryCheck {
  readonly #repository: EmbeddedRepository;
  readonly #layout: RepositoryLayout;
  readonly #options: RepositoryCheckOptions;

  constructor(repository: EmbeddedRepository, layout: RepositoryLayout, options: RepositoryCheckOptions) {
    this.#repository = repository;
    this.#layout = layout;
    this.#options = options;
  }

  /** A manifest has the bytes of its digest, and what it lists is here with the size that it says. */
  async checkManifest(algorithm: DigestAlgorithm, hex: string): Promise<void> {
    this.#options.signal?.throwIfAborted();
    const path = join(this.#layout.manifests, algorithm, hex);
    const digest = `${algorithm}:${nameOfTaken(hex) ?? hex}`;
    const problems = isDigest(digest)
      ? await this.#problemsOf(algorithm, digest, path)
      : ["is no manifest: its name is no digest"];
    // What was deleted meanwhile is no problem.
    if (problems.length > 0 && !(await exists(path))) return;
    for (const what of problems) this.#options.report(path, what);
  }

  async #problemsOf(algorithm: DigestAlgorithm, digest: Digest, path: string): Promise<string[]> {
    const size = (await orMissing(stat(path)))?.size ?? 0;
    if (size > maxFileBytes) return [`has ${size} bytes, more than a manifest may have`];
    let file: Buffer;
    try {
      file = await readFile(path);
    } catch (error) {
      return [`can't be read: ${messageOf(error)}`];
    }
    const end = file.indexOf("\n");
    const bytes = file.subarray(end + 1);
    const got = digestOf(bytes, algorithm);
    if (end === -1 || got !== digest) return [`is damaged: its bytes are ${got}`];
    try {
      const manifest = parseManifest({ bytes, mediaType: file.toString("latin1", 0, end), digest }, digest);
      return [...(await this.#childProblems(manifest)), ...(await this.#subjectProblems(manifest, digest))];
    } catch (error) {
      return [messageOf(error)];
    }
  }

  async #childProblems(manifest: Manifest): Promise<string[]> {
    const problems: string[] = [];
    for (const child of childrenOf(manifest)) {
      const asManifest = manifest.kind === "index" ? await this.#manifestSize(child.digest) : undefined;
      const size = asManifest ?? (await this.#blobSize(manifest, child));
      if (size === undefined) problems.push(`lists ${child.digest}, which isn't there`);
      else if (size !== child.size) {
        problems.push(`lists ${child.digest} with ${child.size} bytes, and it has ${size}`);
      }
    }
    return problems;
  }

  async #blobSize(manifest: Manifest, child: Descriptor): Promise<number | undefined> {
    // BuildKit's cache is an index of layers.
    if (manifest.kind === "index" && isManifestType(child.mediaType)) return undefined;
    return sizeOf(this.#layout.blob(child.digest));
  }

  /** Without the line in front. */
  async #manifestSize(digest: Digest): Promise<number | undefined> {
    const path = this.#layout.manifest(digest);
    const file = (await orMissing(readFile(path))) ?? (await orMissing(readFile(takenPath(path))));
    return file === undefined ? undefined : file.length - file.indexOf("\n") - 1;
  }

  async #subjectProblems(manifest: Manifest, digest: Digest): Promise<string[]> {
    const subject = subjectOf(manifest);
    if (subject === undefined || (await exists(this.#layout.referrer(subject.digest, digest)))) return [];
    return [`refers to ${subject.digest}, whose list of referrers doesn't have it`];
  }

  /** Each entry is a descriptor; one without its manifest is one that isn't there (yet, or any more). */
  async checkReferrers(algorithm: DigestAlgorithm, hex: string): Promise<void> {
    const directory = join(this.#layout.directory, "_referrers", algorithm, hex);
    for (const name of (await orMissing(readdir(directory))) ?? []) {
      this.#options.signal?.throwIfAborted();
      const path = join(directory, name);
      const digest = name.replace("-", ":");
      const text = await readSmall(path);
      if (text === undefined) continue;
      if (!isDigest(digest) || digestIn(text) !== digest) {
        this.#options.report(path, "is no entry of a list of referrers");
      }
    }
  }

  /** A tag points to a manifest that is here, and whoever deletes that finds the tag. */
  async checkTag(file: string): Promise<void> {
    this.#options.signal?.throwIfAborted();
    const path = join(this.#layout.tags, file);
    const tag = tagOfFileName(file);
    if (tag === undefined) {
      this.#options.report(path, "is no tag: its name is wrong");
      return;
    }
    // A tag may move, and the old manifest go, between two looks.
    const first = await this.#tagProblem(path, tag);
    if (first === undefined) return;
    const second = await this.#tagProblem(path, tag);
    if (second !== undefined) this.#options.report(path, second);
  }

  async #tagProblem(path: string, tag: string): Promise<string | undefined> {
    let text: string | undefined;
    try {
      text = (await readSmall(path))?.trim();
    } catch (error) {
      return `can't be read: ${messageOf(error)}`;
    }
    if (text === undefined) return undefined;
    if (!isDigest(text)) return `the tag ${tag} holds no digest`;
    if ((await sizeOf(this.#layout.manifest(text))) === undefined) {
      return `the tag ${tag} points to ${text}, which isn't there`;
    }
    if (!(await exists(this.#layout.hint(text, tag)))) {
      return `the tag ${tag} would stay when ${text} is deleted: ${this.#repository.address} has no note of it`;
    }
    return undefined;
  }
}

/** Also of what pruning has taken away for a moment. */
async function sizeOf(path: string): Promise<number | undefined> {
  return ((await orMissing(stat(path))) ?? (await orMissing(stat(takenPath(path)))))?.size;
}

function digestIn(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && "digest" in value ? value.digest : undefined;
  } catch {
    return undefined;
  }
}
