import { type FileHandle, open } from "node:fs/promises";
import { pipeline, type Readable } from "node:stream";
import { WerfError } from "../../core/errors.js";
import type { BodySource } from "../../core/http.js";
import { algorithmOf, type Digest, VerifyStream } from "../../oci/digest.js";
import type { BlobStat, BlobWrite } from "../../oci/store.js";
import {
  orMissing,
  removeFile,
  removeTaken,
  renew,
  restoreTaken,
  type Staging,
  statRestoring,
} from "./files.js";
import type { RepositoryLayout, RootLayout } from "./layout.js";
import { StagedBlob } from "./staged-blob.js";

const readBytes = 256 * 1024;

/** The blobs of one repository: hard links to content that all repositories of the root share. */
export class BlobFiles {
  readonly #root: RootLayout;
  readonly #repository: RepositoryLayout;
  readonly #staging: Staging;
  readonly #address: string;

  constructor(root: RootLayout, repository: RepositoryLayout, staging: Staging, address: string) {
    this.#root = root;
    this.#repository = repository;
    this.#staging = staging;
    this.#address = address;
  }

  /** Where the blob's bytes lie, for whoever serves ranges of them; the file may not be there. */
  path(digest: Digest): string {
    return this.#repository.blob(digest);
  }

  async stat(digest: Digest): Promise<BlobStat> {
    const found = await statRestoring(this.path(digest));
    return found === undefined ? { kind: "missing" } : { kind: "present", size: found.size };
  }

  async open(digest: Digest): Promise<FileHandle | undefined> {
    const handle = await orMissing(open(this.path(digest)));
    if (handle !== undefined || !(await restoreTaken(this.path(digest)))) return handle;
    return orMissing(open(this.path(digest)));
  }

  /** Somebody counts on this blob from now on: pruning lets it be as long as a new one. */
  renew(digest: Digest): Promise<void> {
    return renew(this.path(digest));
  }

  async read(blob: { readonly digest: Digest; readonly size?: number }): Promise<Readable> {
    const handle = await this.open(blob.digest);
    if (handle === undefined) {
      throw new WerfError("oci/blob-missing", `${this.#address} has no blob ${blob.digest}`);
    }
    const file = handle.createReadStream({ highWaterMark: readBytes });
    // An error of either destroys the other; the reader meets it on the stream that is returned.
    return pipeline(file, new VerifyStream(blob, this.#address), () => undefined);
  }

  async write(
    blob: { readonly digest: Digest; readonly size: number },
    source: BodySource,
  ): Promise<BlobWrite> {
    const have = await this.stat(blob.digest);
    // Another size is a file that was cut off by a crash: it is written again.
    if (have.kind === "present" && have.size === blob.size) {
      await this.renew(blob.digest);
      return { kind: "exists" };
    }
    const staged = await StagedBlob.create(this.#staging, algorithmOf(blob.digest));
    try {
      await staged.append(
        pipeline(await source.open(), new VerifyStream(blob, this.#address), () => undefined),
      );
      await this.adopt(staged, blob.digest);
    } finally {
      await staged.discard();
    }
    return { kind: "uploaded" };
  }

  /**
   * Makes a complete staged blob visible here, and its content the one that repositories share.
   * @throws WerfError `oci/digest-mismatch`
   */
  async adopt(staged: StagedBlob, digest: Digest): Promise<void> {
    if (!(await staged.finish(digest))) {
      throw new WerfError("oci/digest-mismatch", `${this.#address}: what was written is not ${digest}`, {
        hint: "the content was damaged on the way or at its source; nothing of it was kept",
      });
    }
    const content = this.#root.content(digest);
    await this.#staging.link(staged.path, content);
    // Another process may prune the content before it has a second name: the staged file is the same.
    const linked = await orMissing(this.#staging.link(content, this.path(digest)).then(() => true));
    if (!linked) await this.#staging.link(staged.path, this.path(digest));
    // It may have been here, and old.
    await this.renew(digest);
  }

  /** Takes a blob over from another repository of the root. */
  async mount(digest: Digest, from: BlobFiles): Promise<boolean> {
    if ((await from.stat(digest)).kind === "missing") return false;
    const linked = await orMissing(this.#staging.link(from.path(digest), this.path(digest)).then(() => true));
    if (linked) await this.renew(digest);
    return linked ?? false;
  }

  /** Removes it from this repository; false when it wasn't there. */
  async remove(digest: Digest): Promise<boolean> {
    const [removed, taken] = [await removeFile(this.path(digest)), await removeTaken(this.path(digest))];
    return removed || taken;
  }
}
