import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gunzipSync } from "node:zlib";
import { extract, list } from "tar";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mediaTypes } from "../../oci/media-types.js";
import type { BuiltLayer } from "../engines/engine.js";
import type { LayerEntry } from "./entry.js";
import { writeLayer } from "./writer.js";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "werf-ts-layer-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function file(path: string, content: string | Uint8Array, mode = 0o644): LayerEntry {
  const bytes = Buffer.from(content as string);
  return {
    path,
    mode,
    uid: 0,
    gid: 0,
    kind: "file",
    size: bytes.length,
    open: async () => Readable.from([bytes]),
  };
}

const entries: readonly LayerEntry[] = [
  { path: "app", mode: 0o755, uid: 1000, gid: 1000, kind: "directory" },
  file("app/main.js", "console.log('hi')\n", 0o755),
  { path: "app/link", mode: 0o777, uid: 0, gid: 0, kind: "symlink", target: "main.js" },
  file(`app/${"long-".repeat(40)}ü.txt`, "x"),
  file("app/empty", ""),
];
const options = () => ({ directory, mediaType: mediaTypes.ociLayerGzip, mtime: 0 }) as const;

async function bytesOf(layer: BuiltLayer): Promise<Buffer> {
  if (layer.content.kind !== "bytes") throw new Error("the layer has no bytes");
  const chunks: Buffer[] = [];
  for await (const chunk of await layer.content.source.open()) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const sha256 = (bytes: Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

describe("writing a layer", () => {
  it("has the digests and sizes that its bytes have", async () => {
    const layer = await writeLayer(entries, options());
    const bytes = await bytesOf(layer);
    expect(layer.descriptor).toEqual({
      mediaType: mediaTypes.ociLayerGzip,
      digest: sha256(bytes),
      size: bytes.length,
    });
    expect(layer.diffId).toBe(sha256(gunzipSync(bytes)));
    expect((await bytesOf(layer)).equals(bytes)).toBe(true);
  });

  it("has the same diffId everywhere", async () => {
    const layer = await writeLayer(entries, options());
    expect(layer.diffId).toBe("sha256:02a5c6106467575ccab59b93d666988daebb58a5b75c4ebc54294e08fbeaa3e3");
    const plain = await writeLayer(entries, { ...options(), mediaType: mediaTypes.ociLayer });
    expect(plain.diffId).toBe(layer.diffId);
    expect(plain.descriptor.digest).toBe(plain.diffId);
    const later = await writeLayer(entries, { ...options(), mtime: 1 });
    expect(later.diffId).not.toBe(layer.diffId);
  });

  it("is read by another tar", async () => {
    const layer = await writeLayer(entries, { ...options(), mtime: 1_700_000_000 });
    const archive = join(directory, layer.descriptor.digest.replace(":", "-"));
    const seen: [string, string | undefined, number | undefined, number | undefined][] = [];
    await list({ file: archive, onReadEntry: (e) => void seen.push([e.path, e.type, e.mode, e.uid]) });
    expect(seen).toEqual([
      ["app/", "Directory", 0o755, 1000],
      ["app/main.js", "File", 0o755, 0],
      ["app/link", "SymbolicLink", 0o777, 0],
      [`app/${"long-".repeat(40)}ü.txt`, "File", 0o644, 0],
      ["app/empty", "File", 0o644, 0],
    ]);
    const out = join(directory, "out");
    await mkdir(out);
    await extract({ file: archive, cwd: out });
    expect(await readFile(join(out, "app/link"), "utf8")).toBe("console.log('hi')\n");
    expect((await stat(join(out, "app/main.js"))).mtimeMs).toBe(1_700_000_000_000);
  });

  it("may be empty", async () => {
    const layer = await writeLayer([], options());
    expect(layer.diffId).toBe(sha256(new Uint8Array(1024)));
  });

  it("leaves nothing behind when an entry is not as long as it says, or can't be opened", async () => {
    const short = { ...file("a", "123"), size: 4 } as LayerEntry;
    await expect(writeLayer([...entries, short], options())).rejects.toMatchObject({
      code: "archive/size-mismatch",
    });
    const broken: LayerEntry = {
      ...file("b", "1"),
      kind: "file",
      size: 1,
      open: () => Promise.reject(new Error("gone")),
    };
    await expect(writeLayer([broken], options())).rejects.toThrow("gone");
    expect(await readdir(directory)).toEqual([]);
  });

  it("refuses a type that it can't write", async () => {
    await expect(writeLayer([], { ...options(), mediaType: mediaTypes.ociLayerZstd })).rejects.toMatchObject({
      code: "build/layer-type",
    });
  });

  it("reads a large file no faster than it is written", async () => {
    const piece = Buffer.alloc(1024 * 1024, "werf");
    const count = 64;
    let ahead = 0;
    async function* pieces(): AsyncGenerator<Buffer> {
      for (let i = 0; i < count; i++) {
        const [part] = await readdir(directory);
        const written = part === undefined ? 0 : (await stat(join(directory, part))).size;
        ahead = Math.max(ahead, i * piece.length - written);
        yield Buffer.from(piece);
      }
    }
    const large: LayerEntry = {
      ...file("large", ""),
      kind: "file",
      size: count * piece.length,
      open: async () => Readable.from(pieces()),
    };
    const layer = await writeLayer([large], { ...options(), mediaType: mediaTypes.ociLayer });
    expect(layer.descriptor.size).toBeGreaterThan(large.size);
    expect(ahead).toBeLessThan(24 * piece.length);
  });
});
