import { execFile } from "node:child_process";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { deflateRawSync, gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { requirePeer } from "../../test/support/registries.js";
import { decompress, detectCompression, gunzip } from "./compression.js";
import { gzip } from "./gzip.js";
import { unzstd } from "./zstd.js";

function* pieces(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}
const stream = (bytes: Uint8Array, size = 1000): Readable => Readable.from(pieces(bytes, size));
const code = (expected: string): unknown => expect.objectContaining({ code: expected });

/** Text that compresses, and noise that doesn't. */
function sample(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = i % 4096 < 2048 ? state >>> 24 : 97 + ((i >> 3) % 7);
  }
  return bytes;
}

describe("gzip", () => {
  it("writes the same header everywhere, and what any gunzip reads", async () => {
    const bytes = await collect(gzip(stream(Buffer.from("hello"))));
    expect([...bytes.subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    expect(bytes.subarray(10, -8).equals(deflateRawSync("hello", { level: 6 }))).toBe(true);
    expect(gunzipSync(bytes).toString()).toBe("hello");
  });

  it("writes extra field and comment", async () => {
    const extra = Buffer.from("any bytes");
    const bytes = await collect(gzip(stream(Buffer.from("chart")), { extra, comment: "Helm", level: 9 }));
    expect(gunzipSync(bytes).toString()).toBe("chart");
    expect(bytes.subarray(12, 12 + extra.length).equals(extra)).toBe(true);
    expect(bytes.subarray(12 + extra.length).toString("latin1")).toMatch(/^Helm\0/);
  });

  it("doesn't depend on how the input is cut", async () => {
    const bytes = sample(400_000);
    const expected = await collect(gzip([bytes] as unknown as AsyncIterable<Uint8Array>));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 100, max: 200_000 }), async (size) => {
        expect((await collect(gzip(stream(bytes, size)))).equals(expected)).toBe(true);
      }),
      { numRuns: 8 },
    );
  });

  it("passes on what its input fails with, and ends its input when it is given up", async () => {
    const broken = new Readable({ read: () => broken.destroy(new Error("disk gone")) });
    await expect(collect(gzip(broken))).rejects.toThrow("disk gone");
    const endless = new Readable({ read: () => void endless.push(sample(65_536)) });
    const chunks = gzip(endless);
    await chunks.next();
    await chunks.next();
    await chunks.return();
    await new Promise((resolve) => (endless.closed ? resolve(undefined) : endless.once("close", resolve)));
    expect(endless.destroyed).toBe(true);
  });
});

describe("gunzip", () => {
  it("reads several members", async () => {
    const both = Buffer.concat([gzipSync("one "), gzipSync("two")]);
    expect((await collect(gunzip(stream(both, 3)))).toString()).toBe("one two");
  });

  it("refuses what is truncated or damaged", async () => {
    const bytes = gzipSync(sample(100_000));
    await expect(collect(gunzip(stream(bytes.subarray(0, -9))))).rejects.toEqual(code("archive/truncated"));
    const damaged = Buffer.from(bytes);
    damaged.writeUInt8((damaged.at(-6) ?? 0) ^ 1, damaged.length - 6);
    await expect(collect(gunzip(stream(damaged)))).rejects.toEqual(code("archive/corrupt"));
  });

  it("stops at its limits", async () => {
    const bomb = gzipSync(Buffer.alloc(100 * 1024 * 1024));
    await expect(collect(gunzip(stream(bomb), { maxBytes: 1_000_000 }))).rejects.toEqual(
      code("archive/bomb"),
    );
    await expect(collect(gunzip(stream(bomb), { maxRatio: 100 }))).rejects.toEqual(code("archive/bomb"));
    expect((await collect(gunzip(stream(gzipSync("a")), { maxBytes: 1, maxRatio: 0.001 }))).toString()).toBe(
      "a",
    );
  });
});

describe("decompress", () => {
  it("tells compressions by their first bytes", () => {
    expect(detectCompression(Buffer.from([0x1f, 0x8b, 8]))).toBe("gzip");
    expect(detectCompression(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]))).toBe("zstd");
    expect(detectCompression(Buffer.from([0x5f, 0x2a, 0x4d, 0x18]))).toBe("zstd");
    for (const text of ["", "(", "tar archive"]) expect(detectCompression(Buffer.from(text))).toBe("none");
  });

  it("reads gzip and passes on what isn't compressed, however it is cut", async () => {
    const bytes = sample(5000);
    for (const size of [1, 3, 7, 10_000]) {
      expect((await collect(decompress(stream(gzipSync(bytes), size)))).equals(bytes)).toBe(true);
      expect((await collect(decompress(stream(bytes, size)))).equals(bytes)).toBe(true);
    }
    expect(await collect(decompress(Readable.from([])))).toHaveLength(0);
  });

  it("destroys its stream when it is given up", async () => {
    const source = stream(sample(5000), 100);
    for await (const _ of decompress(source)) break;
    expect(source.destroyed).toBe(true);
  });
});

const zstd = requirePeer("zstd");

describe.skipIf(zstd === undefined)("zstd", () => {
  async function compress(bytes: Uint8Array, ...options: string[]): Promise<Buffer> {
    const running = promisify(execFile)("zstd", ["-q", "-c", ...options], {
      encoding: "buffer",
      maxBuffer: 64 * 1024 * 1024,
    });
    running.child.stdin?.end(bytes);
    return (await running).stdout;
  }

  it("reads what the zstd tool writes", async () => {
    for (const length of [0, 1, 300, 131_072, 131_073, 1_000_000]) {
      const bytes = sample(length);
      for (const options of [["-1"], ["-19"], ["--no-check"], [`--stream-size=${length}`], ["--long=24"]]) {
        const packed = await compress(bytes, ...options);
        expect((await collect(decompress(stream(packed, 777)))).equals(bytes)).toBe(true);
      }
    }
  });

  it("reads many frames, skippable ones and tiny ones too, however they are cut", async () => {
    const skippable = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9]);
    const [empty, one, much] = [
      await compress(Buffer.alloc(0)),
      await compress(sample(1)),
      await compress(sample(9000)),
    ];
    const frames = [skippable, one, empty, much, one, skippable, empty, one];
    const expected = Buffer.concat([sample(1), sample(9000), sample(1), sample(1)]);
    for (const size of [1, 2, 17, 5000])
      expect((await collect(unzstd(stream(Buffer.concat(frames), size)))).equals(expected)).toBe(true);
  });

  it("refuses what is truncated, at every byte", async () => {
    const packed = await compress(sample(3000));
    for (let length = 5; length < packed.length; length += 97)
      await expect(collect(unzstd(stream(packed.subarray(0, length))))).rejects.toEqual(
        code("archive/truncated"),
      );
  });

  it("refuses what is damaged without other errors than its own", async () => {
    const packed = await compress(sample(9000), "--no-check");
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: packed.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, flip) => {
          const damaged = Buffer.from(packed);
          damaged[at] = (damaged[at] ?? 0) ^ flip;
          const outcome = await collect(unzstd(stream(damaged), { maxBytes: 1_000_000 })).catch(
            (e: unknown) => e,
          );
          if (!Buffer.isBuffer(outcome))
            expect(outcome).toEqual(code(expect.stringMatching(/^archive\//) as string));
        },
      ),
      { numRuns: 100 },
    );
  });

  it("stops at its limits, with memory for one block only", async () => {
    const bomb = await compress(Buffer.alloc(200 * 1024 * 1024), "--no-check");
    expect(bomb.length).toBeLessThan(20_000);
    await expect(collect(unzstd(stream(bomb), { maxBytes: 1_000_000 }))).rejects.toEqual(
      code("archive/bomb"),
    );
    await expect(collect(unzstd(stream(bomb), { maxRatio: 1000 }))).rejects.toEqual(code("archive/bomb"));
    const greedy = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0, 1, 0, 0]);
    await expect(collect(unzstd(stream(greedy)))).rejects.toEqual(code("archive/bomb"));
  });
});
