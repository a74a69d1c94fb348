import { posix } from "node:path";
import { WerfError } from "../../../core/errors.js";
import type { SourcePosition } from "../../dockerfile/instruction.js";
import type { LayerEntry } from "../../layer/entry.js";
import type { CopySource } from "./copy-sources.js";
import { defaultDirectoryMode, join, type Ownership } from "./image-tree.js";
import type { LayerChanges } from "./layer-changes.js";

export interface CopyOptions {
  readonly destination: string;
  readonly workingDirectory: string;
  /** Absent: as in the source; directories that are made on the way are root's. */
  readonly owner?: Ownership;
  /** Absent: as in the source. */
  readonly mode?: number;
  readonly position: SourcePosition;
}

/**
 * Puts sources to a destination as COPY does: the content of a directory, a file under its name when the
 * destination is a directory, else as the destination. With `--chown`, directories that are made have that
 * owner too, as in BuildKit.
 * https://docs.docker.com/reference/dockerfile/#destination
 * @throws WerfError `build/copy-destination`, `build/copy-blocked`, `build/copy-onto-directory`
 */
export function copyInto(changes: LayerChanges, sources: readonly CopySource[], options: CopyOptions): void {
  const { destination, workingDirectory, owner, position } = options;
  const path = posix.resolve("/", workingDirectory, destination).slice(1);
  const named = /(?:^|\/)\.{0,2}$/.test(destination);
  const isDirectory = named || changes.isDirectory(path);
  if (sources.length > 1 && !isDirectory) {
    throw new WerfError(
      "build/copy-destination",
      `${position.file}:${position.line}: several files can't be copied to the one file "${destination}"`,
      { hint: `end the destination with a slash: ${destination}/` },
    );
  }
  for (const source of sources) {
    if (source.kind === "directory") copyDirectory(changes, source, path, options);
    else {
      const target = isDirectory ? path : posix.dirname(`/${path}`).slice(1);
      const directory = changes.makeDirectory(target, owner);
      const name = isDirectory ? source.name : posix.basename(path);
      for (const entry of source.entries) changes.place(directory, name, withOptions(entry, options));
    }
  }
}

function copyDirectory(changes: LayerChanges, source: CopySource, path: string, options: CopyOptions): void {
  const { owner, mode = source.mode } = options;
  changes.makeDirectory(posix.dirname(`/${path}`), owner);
  const top = changes.makeDirectory(path, owner ?? source.owner, mode);
  const made = new Set<string>([""]);
  const makeParents = (relative: string): void => {
    if (made.has(relative)) return;
    made.add(relative);
    makeParents(parentOf(relative));
    const facts = { uid: 0, gid: 0, mode: options.mode ?? defaultDirectoryMode, ...owner };
    changes.placeDirectory(join(top, relative), facts);
  };
  for (const entry of source.entries) {
    makeParents(parentOf(entry.path));
    const changed = withOptions(entry, options);
    if (entry.kind === "directory") {
      made.add(entry.path);
      changes.placeDirectory(join(top, entry.path), changed);
    } else changes.place(join(top, parentOf(entry.path)), posix.basename(entry.path), changed);
  }
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}

/** Links have no permissions of their own. */
function withOptions(entry: LayerEntry, { owner, mode }: CopyOptions): LayerEntry {
  const owned = { ...entry, ...owner };
  return mode === undefined || entry.kind === "symlink" ? owned : { ...owned, mode };
}
