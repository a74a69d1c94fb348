import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import fc from "fast-check";
import { Parser, type ReadEntry } from "tar";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readTar, type TarLimits } from "./tar-reader.js";
import { type TarHeader, type TarItem, writeTar } from "./tar-writer.js";

const run = promisify(execFile);

interface Read {
  readonly header: TarHeader;
  readonly content: Buffer;
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

/** The bytes in pieces of `size`, so that headers and contents are cut anywhere. */
function* pieces(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function readAll(bytes: Uint8Array, size = 1000, limits?: TarLimits): Promise<Read[]> {
  const all: Read[] = [];
  for await (const { header, content } of readTar(Readable.from(pieces(bytes, size)), limits))
    all.push({ header, content: await collect(content) });
  return all;
}

function item(header: Partial<TarHeader> & { name: string }, content = ""): TarItem {
  const size = Buffer.byteLength(content);
  return {
    header: { type: "file", mode: 0o644, uid: 0, gid: 0, mtime: 0, size, ...header },
    ...(header.type === undefined ? { content: () => Buffer.from(content) } : {}),
  };
}

const archive = (...items: TarItem[]): Promise<Buffer> => collect(writeTar(items));
const failsWith = (code: string, text = ""): unknown =>
  expect.objectContaining({ code, message: expect.stringContaining(text) as string });

const segment = fc.oneof(
  fc.stringMatching(/^[a-zA-Z0-9_-]{1,120}$/),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }),
);
const path = fc
  .array(segment, { minLength: 1, maxLength: 8 })
  .map((parts) => parts.map((p) => p.replaceAll(/[/\0]/g, "_")).join("/"));
const id = fc.oneof(fc.nat({ max: 70_000 }), fc.nat({ max: 2 ** 31 - 1 }), fc.maxSafeNat());
const mtime = fc.oneof(
  fc.nat(),
  fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
  fc.integer({ min: -(2 ** 30), max: 2 ** 30 }).map((n) => n / 1000),
);
const common = { name: path, mode: fc.nat({ max: 0o7777 }), uid: id, gid: id, mtime };
const content = fc.uint8Array({ maxLength: 1500 });
const anyItem: fc.Arbitrary<Read> = fc.oneof(
  fc.record({ ...common, content }).map(
    ({ content: c, ...h }): Read => ({
      header: { ...h, type: "file", size: c.length },
      content: Buffer.from(c),
    }),
  ),
  fc.record({ ...common }).map((h) => entry({ ...h, name: `${h.name}/`, type: "directory", size: 0 })),
  fc
    .record({ ...common, linkname: path, type: fc.constantFrom("symlink" as const, "hardlink" as const) })
    .map((h) => entry({ ...h, size: 0 })),
  fc.record({ ...common }).map((h) => entry({ ...h, type: "fifo", size: 0 })),
  fc
    .record({
      ...common,
      type: fc.constantFrom("character-device" as const, "block-device" as const),
      deviceMajor: fc.nat({ max: 0o7777777 }),
      deviceMinor: fc.nat({ max: 0o7777777 }),
    })
    .map((h) => entry({ ...h, size: 0 })),
);

function entry(header: TarHeader): Read {
  return { header, content: Buffer.alloc(0) };
}
const toItems = (reads: readonly Read[]): TarItem[] =>
  reads.map(({ header, content: c }) => ({ header, content: () => c }));

describe("readTar", () => {
  it("reads whatever writeTar writes, however it is cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyItem, { maxLength: 6 }),
        fc.integer({ min: 1, max: 2000 }),
        async (items, cut) => {
          expect(await readAll(await archive(...toItems(items)), cut)).toEqual(items);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("agrees with another reader about what writeTar writes", async () => {
    const kinds: Record<string, string> = {
      File: "file",
      Directory: "directory",
      SymbolicLink: "symlink",
      Link: "hardlink",
    };
    await fc.assert(
      fc.asyncProperty(fc.array(anyItem, { minLength: 1, maxLength: 6 }), async (items) => {
        const seen: { name: string; type: string; uid: number; linkname: string; content: Buffer }[] = [];
        const parser = new Parser({
          strict: true,
          onReadEntry(read: ReadEntry) {
            const chunks: Uint8Array[] = [];
            read.on("data", (chunk: Uint8Array) => void chunks.push(chunk));
            read.on("end", () => {
              const type = kinds[read.type] ?? "other";
              const linkname = type.endsWith("link") ? String(read.linkpath) : "";
              seen.push({
                name: read.path,
                type,
                uid: read.uid ?? -1,
                linkname,
                content: Buffer.concat(chunks),
              });
            });
          },
        });
        const ended = new Promise<void>((resolve, reject) => {
          parser.on("end", resolve);
          parser.on("error", reject);
        });
        parser.end(await archive(...toItems(items)));
        await ended;
        expect(seen).toEqual(
          items.map(({ header, content: c }) => ({
            name: header.name,
            type: Object.values(kinds).includes(header.type) ? header.type : "other",
            uid: header.uid,
            linkname: header.linkname ?? "",
            content: c,
          })),
        );
      }),
      { numRuns: 60 },
    );
  });

  it("skips the content that isn't read, and says where it begins", async () => {
    const bytes = await archive(item({ name: "a" }, "x".repeat(3000)), item({ name: "b" }, "second"));
    const names: string[] = [];
    for await (const { header, offset, content: c } of readTar(Readable.from(pieces(bytes, 700)))) {
      names.push(header.name);
      const part = bytes.subarray(offset, offset + header.size).toString();
      expect(part).toBe(header.name === "a" ? "x".repeat(3000) : "second");
      if (header.name === "a") for await (const chunk of c) if (chunk.length > 0) break;
    }
    expect(names).toEqual(["a", "b"]);
  });

  it("refuses to give content after the next entry was asked for", async () => {
    const bytes = await archive(item({ name: "a" }, "first"), item({ name: "b" }, "second"));
    const entries = readTar(Readable.from([bytes]));
    const first = (await entries.next()).value;
    await entries.next();
    await expect(collect(first?.content ?? Readable.from([]))).rejects.toThrow('"a" was asked for after');
    await entries.return();
  });

  it("reads its stream to the end, and destroys it when it is given up", async () => {
    const bytes = Buffer.concat([await archive(item({ name: "a" })), Buffer.alloc(10_240)]);
    const whole = Readable.from(pieces(bytes, 512));
    for await (const _ of readTar(whole));
    expect(whole.readableEnded).toBe(true);
    const left = Readable.from(pieces(bytes, 512));
    for await (const _ of readTar(left)) break;
    expect(left.destroyed).toBe(true);
  });

  it("names the entry in which an archive ends too early, at every byte", async () => {
    const bytes = await archive(item({ name: "whole" }, "1"), item({ name: "cut" }, "x".repeat(600)));
    for (let length = 512; length < bytes.length - 1023; length += 61) {
      const name = length < 1536 ? "whole" : "cut";
      await expect(readAll(bytes.subarray(0, length))).rejects.toEqual(
        failsWith("archive/truncated", `"${name}"`),
      );
    }
    expect(await readAll(bytes.subarray(0, -512))).toHaveLength(2);
  });

  it("refuses what is no tar archive", async () => {
    for (const bytes of ["", "PK\u0003\u0004", "{}".repeat(1000)])
      await expect(readAll(Buffer.from(bytes))).rejects.toEqual(failsWith("archive/not-tar"));
  });

  it("refuses an archive whose headers were damaged", async () => {
    const bytes = await archive(item({ name: "a" }), item({ name: "b" }));
    bytes[512] = 0x63;
    await expect(readAll(bytes)).rejects.toEqual(failsWith("archive/corrupt", 'after "a"'));
    const goesOn = Buffer.concat([await archive(item({ name: "a" })), await archive(item({ name: "b" }))]);
    const single = Buffer.concat([goesOn.subarray(0, 1024), goesOn.subarray(1536)]);
    await expect(readAll(single)).rejects.toEqual(failsWith("archive/corrupt", "single zero block"));
  });

  it("keeps to its limits", async () => {
    const many = await archive(item({ name: "a" }), item({ name: "b" }), item({ name: "c" }));
    await expect(readAll(many, 512, { entries: 2 })).rejects.toEqual(failsWith("archive/limit", "2 entries"));
    const long = await archive(item({ name: "é".repeat(3000) }));
    await expect(readAll(long, 512, { paxBytes: 5000 })).rejects.toEqual(
      failsWith("archive/limit", "header"),
    );
    await expect(readAll(long, 512, { nameBytes: 5000 })).rejects.toEqual(failsWith("archive/limit", "6000"));
    expect(await readAll(long)).toHaveLength(1);
  });

  it("applies global pax records until others say otherwise", async () => {
    const pax = (flag: string, text: string): Promise<Buffer> =>
      archive(item({ name: "pax" }, text)).then((bytes) => {
        const made = bytes.subarray(0, 1024);
        made.write(flag, 156);
        made.write("        ", 148);
        const sum = made.subarray(0, 512).reduce((a, b) => a + b, 0);
        made.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
        return made;
      });
    const plain = (name: string): Promise<Buffer> => archive(item({ name })).then((b) => b.subarray(0, 512));
    const bytes = Buffer.concat([
      await pax("g", "13 mtime=1.5\n9 uid=77\n"),
      await plain("a"),
      await pax("x", "8 uid=5\n12 mtime=-2\n"),
      await plain("b"),
      await pax("g", "8 uid=\n".replace("8", "7")),
      await plain("c"),
      Buffer.alloc(1024),
    ]);
    const facts = (await readAll(bytes)).map(({ header }) => [header.name, header.uid, header.mtime]);
    expect(facts).toEqual([
      ["a", 77, 1.5],
      ["b", 5, -2],
      ["c", 0, 1.5],
    ]);
    const damaged = Buffer.concat([await pax("x", "99 uid=5\n"), await plain("a"), Buffer.alloc(1024)]);
    await expect(readAll(damaged)).rejects.toEqual(failsWith("archive/corrupt", "pax header"));
  });
});

describe("the system's tar", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "werf-ts-tar-"));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it("lists what writeTar writes", async () => {
    const long = `${"d".repeat(90)}/${"e".repeat(90)}/${"f".repeat(90)}`;
    const bytes = await archive(
      item({ name: "dir", type: "directory", mode: 0o755, uid: 3_000_000, gid: 2 ** 31 }),
      item({ name: `${long}/${"g".repeat(120)}`, mtime: 1_700_000_000 }, "12345"),
      item({ name: "link", type: "symlink", linkname: "x".repeat(150), mode: 0o777 }),
      item({ name: "hard", type: "hardlink", linkname: "dir/ü" }),
      item({ name: "null", type: "character-device", deviceMajor: 1, deviceMinor: 3 }),
    );
    const file = join(directory, "list.tar");
    await writeFile(file, bytes);
    const { stdout } = await run(
      "tar",
      ["--numeric-owner", "--utc", "--full-time", "--quoting-style=literal", "-tvf", file],
      {
        env: { ...process.env, LC_ALL: "C.UTF-8" },
      },
    );
    expect(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => line.replaceAll(/ +/g, " ")),
    ).toEqual([
      "drwxr-xr-x 3000000/2147483648 0 1970-01-01 00:00:00 dir/",
      `-rw-r--r-- 0/0 5 2023-11-14 22:13:20 ${long}/${"g".repeat(120)}`,
      `lrwxrwxrwx 0/0 0 1970-01-01 00:00:00 link -> ${"x".repeat(150)}`,
      "hrw-r--r-- 0/0 0 1970-01-01 00:00:00 hard link to dir/ü",
      "crw-r--r-- 0/0 1,3 1970-01-01 00:00:00 null",
    ]);
  });

  it.each(["gnu", "oldgnu", "pax", "ustar", "v7"])("writes --format=%s, and we read it", async (format) => {
    const root = join(directory, format);
    const deep = format === "v7" ? "short" : join("a".repeat(70), "b".repeat(70));
    await mkdir(join(root, deep), { recursive: true });
    await writeFile(join(root, deep, "file"), "content", { mode: 0o640 });
    const target = format.endsWith("gnu") || format === "pax" ? "t".repeat(160) : "target";
    await symlink(target, join(root, "link"));
    const tar = `${root}.tar`;
    await run("tar", [
      `--format=${format}`,
      "--sort=name",
      "--mtime=@1700000000",
      "--owner=:7",
      "--group=:8",
      "-cf",
      tar,
      "-C",
      root,
      "link",
      deep,
    ]);
    const { stdout } = await run("cat", [tar], { encoding: "buffer" });
    const read = await readAll(stdout);
    expect(read.map(({ header }) => [header.name, header.type, header.linkname])).toEqual([
      ["link", "symlink", target],
      [`${deep}/`, "directory", undefined],
      [`${deep}/file`, "file", undefined],
    ]);
    expect(read[2]?.header).toMatchObject({ mode: 0o640, uid: 7, gid: 8, mtime: 1_700_000_000, size: 7 });
    expect(read[2]?.content.toString()).toBe("content");
  });

  it("writes sizes above 8 GiB in base 256, and sparse files, which we refuse", async () => {
    const big = join(directory, "big");
    await writeFile(big, "");
    await truncate(big, 9 * 1024 ** 3);
    const script = 'tar --format=gnu -cf - -C "$0" big | head -c 1024';
    const { stdout } = await run("sh", ["-c", script, directory], { encoding: "buffer" });
    const entries = readTar(Readable.from([stdout]));
    expect((await entries.next()).value?.header.size).toBe(9 * 1024 ** 3);
    await entries.return();
    const sparse = await run("tar", ["-S", "--format=pax", "-cf", "-", "-C", directory, "big"], {
      encoding: "buffer",
    });
    await expect(readAll(sparse.stdout)).rejects.toEqual(failsWith("archive/unsupported-entry", "sparse"));
    const old = await run("tar", ["-S", "--format=gnu", "-cf", "-", "-C", directory, "big"], {
      encoding: "buffer",
    });
    await expect(readAll(old.stdout)).rejects.toEqual(failsWith("archive/unsupported-entry", '"S"'));
  });
});
