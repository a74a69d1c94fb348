import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { type TarHeader, type TarItem, writeTar } from "./tar-writer.js";

const file: TarHeader = { name: "a.txt", type: "file", mode: 0o644, uid: 0, gid: 0, mtime: 0, size: 5 };
const hello = (): Uint8Array => Buffer.from("hello");

async function bytesOf(items: Iterable<TarItem>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeTar(items)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

describe("writeTar", () => {
  it("writes the well-known empty archive", async () => {
    // The diffID of an empty layer, the same for every container tool.
    expect(sha256(await bytesOf([]))).toBe(
      "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
    );
  });

  it("writes a plain ustar header, byte for byte", async () => {
    const bytes = await bytesOf([{ header: file, content: hello }]);
    const expected = Buffer.alloc(4 * 512);
    expected.write("a.txt", 0);
    expected.write("0000644", 100);
    expected.write("0000000", 108);
    expected.write("0000000", 116);
    expected.write("00000000005", 124);
    expected.write("00000000000", 136);
    expected.write("        0", 148);
    expected.write("ustar\x0000", 257);
    expected.write("0000000", 329);
    expected.write("0000000", 337);
    const sum = expected.subarray(0, 512).reduce((a, b) => a + b, 0);
    expected.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    expected.write("hello", 512);
    expect(bytes.equals(expected)).toBe(true);
  });

  it("refuses content that isn't as long as its header says", async () => {
    const mismatch = expect.objectContaining({ code: "archive/size-mismatch" });
    for (const content of ["hell", "hello!", ""]) {
      await expect(bytesOf([{ header: file, content: () => Buffer.from(content) }])).rejects.toEqual(
        mismatch,
      );
      const stream = (): Readable => Readable.from([...content].map((c) => Buffer.from(c)));
      await expect(bytesOf([{ header: file, content: stream }])).rejects.toEqual(mismatch);
    }
    await expect(bytesOf([{ header: file }])).rejects.toEqual(mismatch);
    await expect(bytesOf([{ header: { ...file, size: 0 }, content: hello }])).rejects.toEqual(mismatch);
  });

  it("destroys the content of an archive that is given up", async () => {
    const content = new Readable({ read: () => undefined });
    content.push("hel");
    const tar = writeTar([{ header: file, content: () => content }]);
    await tar.next();
    await tar.next();
    await tar.return();
    expect(content.destroyed).toBe(true);
  });

  it.each<[string, Partial<TarHeader>]>([
    ["an empty name", { name: "" }],
    ["a NUL in the name", { name: "a\0b" }],
    ["a lone surrogate", { name: "a\ud800" }],
    ["a file with a directory's name", { name: "a/" }],
    ["a link to nowhere", { type: "symlink", size: 0 }],
    ["a file with a linkname", { linkname: "b" }],
    ["a directory with a size", { type: "directory" }],
    ["a mode with a file type", { mode: 0o100644 }],
    ["a negative uid", { uid: -1 }],
    ["half a byte", { size: 0.5 }],
    ["a time that is none", { mtime: Number.NaN }],
  ])("refuses %s", async (_what, change) => {
    await expect(bytesOf([{ header: { ...file, ...change }, content: hello }])).rejects.toEqual(
      expect.objectContaining({ code: "archive/header-invalid" }),
    );
  });
});
