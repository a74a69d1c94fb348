import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { BuildContext } from "../../src/build/context/context.js";
import type { TreeEntry } from "../../src/git/repository.js";

export interface MemoryFile {
  readonly content: string | Uint8Array;
  readonly mode?: TreeEntry["mode"];
}

/** A build context of these files, with the ids that git gives their contents. */
export function memoryContext(
  files: Readonly<Record<string, string | Uint8Array | MemoryFile>>,
): BuildContext {
  const contents = new Map<string, Buffer>();
  const entries = Object.entries(files)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, file]): TreeEntry => {
      const { content, mode = "100644" }: MemoryFile =
        typeof file === "string" || file instanceof Uint8Array ? { content: file } : file;
      const bytes = Buffer.from(content);
      contents.set(path, bytes);
      const oid = createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
      return { path, mode, oid, size: bytes.length };
    });
  return {
    files: entries,
    open: async ({ path }) => Readable.from([contents.get(path) ?? Buffer.alloc(0)]),
  };
}
