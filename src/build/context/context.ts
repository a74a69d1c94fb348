import type { Readable } from "node:stream";
import type { TreeEntry } from "../../git/repository.js";

/** What COPY can see: the files of the commit below the image's `context`, without what .dockerignore hides. */
export interface BuildContext {
  /** Sorted by path; paths are relative to the context, with forward slashes. */
  readonly files: readonly TreeEntry[];
  /** The content of a file; the target, for a symlink. */
  open(file: TreeEntry): Promise<Readable>;
  /** What the ignore file hides, so that a message can say why a file isn't there. */
  readonly ignored?: {
    /** Relative to the context. */
    readonly by: string;
    hides(path: string): boolean;
    readonly paths: ReadonlySet<string>;
  };
}
