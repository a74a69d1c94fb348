import { WerfError } from "../../../core/errors.js";
import type { SourcePosition } from "../../dockerfile/instruction.js";
import type { LayerEntry } from "../../layer/entry.js";
import { defaultDirectoryMode, type ImageTree, join, type Ownership } from "./image-tree.js";
import { nodeOfEntry } from "./stage-files.js";

const root: Ownership = { uid: 0, gid: 0 };

/** What one instruction adds to an image: it is put into the tree at once, and becomes a layer at the end. */
export class LayerChanges {
  readonly #tree: ImageTree;
  readonly #position: SourcePosition;
  readonly #entries = new Map<string, LayerEntry>();

  constructor(tree: ImageTree, position: SourcePosition) {
    this.#tree = tree;
    this.#position = position;
  }

  /** In the order of a layer: by path, so that directories come before what is in them. */
  entries(): readonly LayerEntry[] {
    return [...this.#entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** Whether a directory is there already. */
  isDirectory(path: string): boolean {
    return this.#tree.resolve(path).node?.kind === "directory";
  }

  /**
   * Makes a directory and those above it, unless they are there; gives its path with links followed.
   * @throws WerfError `build/copy-blocked`
   */
  makeDirectory(path: string, owner: Ownership = root, mode: number = defaultDirectoryMode): string {
    const { path: real, node, blockedBy } = this.#tree.resolve(path);
    if (node?.kind === "directory") return real;
    if (node !== undefined || blockedBy !== undefined) throw this.#blocked(blockedBy ?? real);
    const slash = real.lastIndexOf("/");
    if (slash > 0) this.makeDirectory(real.slice(0, slash), owner);
    this.#put({ kind: "directory", path: real, mode, ...owner });
    return real;
  }

  /** Puts a file or a link into a directory that is there, in place of another file or link. */
  place(directory: string, name: string, entry: LayerEntry): void {
    const path = join(directory, name);
    if (this.#tree.resolve(path, false).node?.kind === "directory") {
      throw new WerfError(
        "build/copy-onto-directory",
        `${this.#position.file}:${this.#position.line}: a file can't be copied to "/${path}": a directory is there`,
      );
    }
    this.#put({ ...entry, path });
  }

  /** Puts a directory of the source into one of the destination, or lets the one that is there be. */
  placeDirectory(path: string, facts: Ownership & { readonly mode: number }): void {
    const { node } = this.#tree.resolve(path, false);
    if (node?.kind === "directory") return;
    if (node !== undefined) throw this.#blocked(path);
    const { mode, uid, gid } = facts;
    this.#put({ kind: "directory", path, mode, uid, gid });
  }

  #put(entry: LayerEntry): void {
    this.#entries.set(entry.path, entry);
    this.#tree.put(entry.path, nodeOfEntry(entry));
  }

  #blocked(path: string): WerfError {
    return new WerfError(
      "build/copy-blocked",
      `${this.#position.file}:${this.#position.line}: a directory can't be made at "/${path}": something else is there, a file or a link`,
      { hint: "copy to where the link leads, or choose another destination" },
    );
  }
}
