import type { Readable } from "node:stream";

/** 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits. */
export type ObjectId = string;

export interface Commit {
  readonly hash: ObjectId;
  readonly committedAt: Date;
}

/** A blob, symlink or submodule of a tree; directories are not listed. `path` has no leading slash. */
export interface TreeEntry {
  readonly path: string;
  readonly mode: "100644" | "100755" | "120000" | "160000";
  readonly oid: ObjectId;
  /** Bytes; 0 for a submodule. */
  readonly size: number;
}

/** A reader over the git CLI. Paths are relative to the work tree, with forward slashes. */
export interface GitRepository {
  readonly workTree: string;
  head(): Promise<Commit>;
  /** Every entry of the commit below `prefix` (""), sorted by path. */
  listTree(commit: ObjectId, prefix?: string): Promise<readonly TreeEntry[]>;
  /**
   * A whole file of a commit, symlinks inside the tree followed; `undefined` when it isn't there.
   * @throws WerfError `git/file-too-large` above `limit` bytes, default 16 MiB
   */
  readFile(commit: ObjectId, path: string, limit?: number): Promise<Uint8Array | undefined>;
  /**
   * The content of a blob, streamed; any number at once. `size` in bytes, when it is known, saves a detour
   * for large ones. @throws WerfError `git/object-missing`
   */
  readBlob(oid: ObjectId, size?: number): Promise<Readable>;
  /** Paths that differ from HEAD, are staged or are untracked and not ignored. */
  uncommittedPaths(prefix?: string): Promise<readonly string[]>;
  /** Ends the background `git cat-file` processes. */
  close(): Promise<void>;
}
