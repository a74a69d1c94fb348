import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { type TarHeader, type TarItem, writeTar } from "../../archive/tar-writer.js";
import { packChart, unpackChart } from "./chart.js";

async function archiveOf(
  files: readonly (readonly [string, string, Partial<TarHeader>?])[],
): Promise<Buffer> {
  const items = files.map(
    ([name, text, extra]): TarItem => ({
      header: {
        name,
        type: "file",
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: 5,
        size: text.length,
        ...extra,
      },
      content: () => Buffer.from(text),
    }),
  );
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeTar(items)) chunks.push(chunk);
  return gzipSync(Buffer.concat(chunks));
}
async function* stream(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
}
const texts = (files: ReadonlyMap<string, Uint8Array>): Record<string, string> =>
  Object.fromEntries([...files].map(([path, bytes]) => [path, Buffer.from(bytes).toString()]));

describe("packChart", () => {
  const files = {
    "values.yaml": "a: 1\n",
    "templates/b.yaml": "b",
    "templates/a.yaml": "a",
    "Chart.yaml": "name: x\n",
    "charts/sub/Chart.yaml": "name: sub\n",
  };
  const mapOf = (entries: [string, string][]): Map<string, Uint8Array> =>
    new Map(entries.map(([path, text]) => [path, Buffer.from(text)]));

  it("makes the same bytes whatever the order, and is read back", async () => {
    const entries = Object.entries(files);
    const one = await packChart("shop", { files: mapOf(entries), mtime: 1_700_000_000 });
    const two = await packChart("shop", { files: mapOf(entries.reverse()), mtime: 1_700_000_000 });
    expect(Buffer.from(one).equals(Buffer.from(two))).toBe(true);
    const read = await unpackChart(stream(one), "x");
    expect(texts(read.files)).toEqual(files);
    expect(read.mtime).toBe(1_700_000_000);
    expect([...read.files.keys()].slice(0, 2)).toEqual(["Chart.yaml", "values.yaml"]);
  });
});

describe("unpackChart", () => {
  const chartYaml = ["x/Chart.yaml", "name: x\n"] as const;

  it.each<[string, readonly (readonly [string, string, Partial<TarHeader>?])[], string]>([
    ["a path outside", [chartYaml, ["x/../../etc/passwd", "root"]], "archive/path-outside"],
    ["an absolute path", [chartYaml, ["/etc/passwd", "root"]], "archive/path-outside"],
    ["a Windows path", [chartYaml, ["x/..\\..\\evil", "root"]], "archive/path-outside"],
    [
      "a symlink",
      [chartYaml, ["x/a", "", { type: "symlink", linkname: "/etc/passwd" }]],
      "bundle/chart-invalid",
    ],
    ["a file twice", [chartYaml, ["x/./Chart.yaml", "name: y\n"]], "bundle/chart-invalid"],
    ["a file beside the directory", [chartYaml, ["Chart.yaml", "name: y\n"]], "bundle/chart-invalid"],
    ["no Chart.yaml", [["x/values.yaml", "a: 1\n"]], "bundle/chart-invalid"],
    ["nothing", [], "bundle/chart-invalid"],
  ])("refuses %s", async (_what, files, code) => {
    await expect(unpackChart(stream(await archiveOf(files)), "x")).rejects.toMatchObject({ code });
  });

  it("refuses a bomb without unpacking it", async () => {
    const zeros = Buffer.alloc(8 * 1024 * 1024);
    const items = Array.from(
      { length: 20 },
      (_, i): TarItem => ({
        header: {
          name: `x/${i}`,
          type: "file",
          mode: 0,
          uid: 0,
          gid: 0,
          mtime: 0,
          size: zeros.length,
        },
        content: () => zeros,
      }),
    );
    const chunks: Uint8Array[] = [];
    for await (const chunk of writeTar(items)) chunks.push(chunk);
    const bomb = gzipSync(Buffer.concat(chunks), { level: 1 });
    await expect(unpackChart(stream(bomb), "x")).rejects.toMatchObject({ code: "bundle/chart-invalid" });
  });

  it.each([
    ["what is no archive", Buffer.from("<html>not found</html>"), "archive/not-tar"],
    ["what is cut off", gzipSync(Buffer.alloc(5000)).subarray(0, 20), "archive/truncated"],
  ])("refuses %s", async (_what, bytes, code) => {
    await expect(unpackChart(stream(bytes), "x")).rejects.toMatchObject({ code });
  });
});
