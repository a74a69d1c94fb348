import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { algorithmOf, digestOf, hexOf, parseDigest, VerifyStream } from "./digest.js";

const empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

describe("digests", () => {
  it("are computed over bytes", () => {
    expect(digestOf("")).toBe(empty);
    expect(algorithmOf(digestOf("x", "sha512"))).toBe("sha512");
    expect(hexOf(parseDigest(empty))).toBe(empty.slice(7));
  });

  it.each([
    "",
    "sha256:",
    "sha256:abc",
    empty.toUpperCase(),
    `md5:${"a".repeat(32)}`,
    `${empty}0`,
    `${empty}\n`,
  ])("refuses %j", (text) => {
    expect(() => parseDigest(text)).toThrow("is not a digest");
  });
});

describe("VerifyStream", () => {
  const content = Buffer.from("the content");
  const digest = digestOf(content);
  const through = (
    expected: { digest: typeof digest; size?: number },
    bytes: Uint8Array = content,
  ): Promise<Buffer> => buffer(Readable.from([bytes]).pipe(new VerifyStream(expected, "a test")));

  it("passes what is as it should be", async () => {
    expect(await through({ digest, size: content.length })).toEqual(content);
    expect(await through({ digest })).toEqual(content);
  });

  it.each([
    ["other bytes", { digest, size: 11 }, Buffer.from("The content"), "with the digest sha256:"],
    ["too few", { digest, size: 11 }, content.subarray(1), "10 bytes instead of 11"],
    ["too many", { digest, size: 11 }, Buffer.concat([content, content]), "more than the 11 bytes"],
  ])("fails on %s", async (_what, expected, bytes, message) => {
    await expect(through(expected, bytes)).rejects.toThrow(message);
  });
});
