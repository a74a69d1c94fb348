import { link, opendir, rename, stat } from "node:fs/promises";
import { type Digest, isDigest } from "../../oci/digest.js";
import {
  exists,
  isErrno,
  namesIn,
  orMissing,
  readSmall,
  removeFile,
  type Staging,
  touch,
  withParent,
} from "./files.js";
import type { RepositoryLayout } from "./layout.js";
import { tagOfFileName } from "./names.js";

/**
 * The tags of one repository: a small file each. Beside them lie hints, empty files that tell which tags once pointed
 * to a digest; a hint is written before its tag and goes only with the manifest, so that deleting a manifest finds all
 * its tags without reading every other one.
 */
export class TagFiles {
  readonly #layout: RepositoryLayout;
  readonly #staging: Staging;

  constructor(layout: RepositoryLayout, staging: Staging) {
    this.#layout = layout;
    this.#staging = staging;
  }

  async resolve(tag: string): Promise<Digest | undefined> {
    const text = (await readSmall(this.#layout.tag(tag)))?.trim();
    return text !== undefined && isDigest(text) ? text : undefined;
  }

  /** All tags in the directory's order, without keeping them in memory. */
  async *list(): AsyncGenerator<string> {
    const directory = await orMissing(opendir(this.#layout.tags, { bufferSize: 1024 }));
    if (directory === undefined) return;
    for await (const entry of directory) {
      const tag = tagOfFileName(entry.name);
      if (tag !== undefined) yield tag;
    }
  }

  /** Changes with every tag that comes, moves or goes; undefined while there has been none. Nanoseconds. */
  async version(): Promise<bigint | undefined> {
    return (await orMissing(stat(this.#layout.tags, { bigint: true })))?.mtimeNs;
  }

  async write(tag: string, digest: Digest): Promise<void> {
    const hint = this.#layout.hint(digest, tag);
    if ((await this.resolve(tag)) === digest && (await exists(hint))) return;
    // Who deletes the digest takes the hint away before looking at the tag: so one of the two sees the other.
    do {
      await touch(hint);
      await this.#staging.writeFile(this.#layout.tag(tag), digest);
    } while (!(await exists(hint)));
  }

  /** False when there was no such tag. */
  remove(tag: string): Promise<boolean> {
    return removeFile(this.#layout.tag(tag));
  }

  /**
   * Removes the tags that point to the digest now. Hints may go only when the manifest has gone: who writes a tag at
   * the same time then sees that, and writes both once more.
   */
  async removeAllOf(digest: Digest, hints: "keep-hints" | "drop-hints"): Promise<void> {
    const { directory, prefix } = this.#layout.hints(digest);
    for (const name of await namesIn(directory)) {
      if (!name.startsWith(prefix)) continue;
      const tag = tagOfFileName(name.slice(prefix.length));
      if (tag === undefined) continue;
      if (hints === "drop-hints") await removeFile(this.#layout.hint(digest, tag));
      await this.#removeIf(tag, digest);
    }
  }

  /** Removes the hints for a manifest that has gone; a tag that is written meanwhile keeps its own. */
  async dropHints(digest: Digest): Promise<void> {
    const { directory, prefix } = this.#layout.hints(digest);
    for (const name of await namesIn(directory)) {
      const tag = name.startsWith(prefix) ? tagOfFileName(name.slice(prefix.length)) : undefined;
      if (tag === undefined) continue;
      const hint = this.#layout.hint(digest, tag);
      await removeFile(hint);
      // Who writes the tag looks for the hint after that: so one of the two sees the other.
      if ((await this.resolve(tag)) === digest) await touch(hint);
    }
  }

  /** Takes the tag away before looking at it: a tag that another process moves in this moment is put back, not lost. */
  async #removeIf(tag: string, digest: Digest): Promise<void> {
    if ((await this.resolve(tag)) !== digest) return;
    const path = this.#layout.tag(tag);
    const taken = this.#staging.newPath();
    const moved = await orMissing(withParent(taken, () => rename(path, taken)).then(() => true));
    if (!moved) return;
    try {
      if ((await readSmall(taken))?.trim() !== digest) await link(taken, path);
    } catch (error) {
      // Written once more meanwhile: the newer one stays.
      if (!isErrno(error, "EEXIST")) throw error;
    } finally {
      await removeFile(taken);
    }
  }
}
