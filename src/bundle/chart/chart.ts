import { gzipSync } from "fflate";
import { decompress } from "../../archive/compression.js";
import { safeEntryPath } from "../../archive/entry-path.js";
import { readTar } from "../../archive/tar-reader.js";
import { type TarItem, writeTar } from "../../archive/tar-writer.js";
import { WerfError } from "../../core/errors.js";

/** The files of a chart by their paths below its directory. */
export interface Chart {
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Of every file, in seconds since 1970. */
  readonly mtime: number;
}

/** What Helm reads at most of a chart, unpacked. */
export const maxChartBytes: number = 100 * 1024 * 1024;
const maxEntries = 20_000;
const first = ["Chart.yaml", "Chart.lock", "values.yaml", "values.schema.json"];

/**
 * `helm package` with the same bytes for the same files: sorted, one time, one owner, one compressor in every
 * version of Node.
 */
export async function packChart(name: string, chart: Chart): Promise<Uint8Array> {
  const paths = [...chart.files.keys()].sort(
    (a, b) => rank(a) - rank(b) || Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  const items = paths.map((path): TarItem => {
    const bytes = chart.files.get(path) ?? new Uint8Array();
    const header = {
      name: `${name}/${path}`,
      type: "file",
      mode: 0o644,
      uid: 0,
      gid: 0,
      mtime: chart.mtime,
      size: bytes.length,
    } as const;
    return { header, content: () => bytes };
  });
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeTar(items)) chunks.push(chunk);
  return gzipSync(Buffer.concat(chunks), { level: 9, mtime: 0 });
}

function rank(path: string): number {
  const at = first.indexOf(path);
  return at === -1 ? first.length : at;
}

/**
 * Reads a chart's archive, as hostile as it may be.
 * @throws WerfError `bundle/chart-invalid`, `archive/*`
 */
export async function unpackChart(archive: AsyncIterable<Uint8Array>, source: string): Promise<Chart> {
  const files = new Map<string, Uint8Array>();
  let mtime = 0;
  let left = maxChartBytes;
  const plain = decompress(archive, { maxBytes: maxChartBytes + maxEntries * 2048 });
  for await (const { header, content } of readTar(plain, { entries: maxEntries })) {
    if (header.type === "directory") continue;
    if (header.type !== "file") throw invalid(source, `"${header.name}" is a ${header.type}, not a file`);
    // The first part is the chart's directory, whatever its name.
    const [directory = "", ...parts] = safeEntryPath(header.name).split("/");
    const path = parts.join("/");
    if (path === "") throw invalid(source, `"${directory}" does not lie in the chart's directory`);
    if (files.has(path)) throw invalid(source, `"${path}" is there twice`);
    left -= header.size;
    if (left < 0) throw invalid(source, `its files have more than ${maxChartBytes} bytes`);
    const chunks: Uint8Array[] = [];
    for await (const chunk of content) chunks.push(chunk);
    files.set(path, Buffer.concat(chunks));
    if (path === "Chart.yaml") mtime = Math.max(0, Math.floor(header.mtime));
  }
  if (!files.has("Chart.yaml")) throw invalid(source, "it has no Chart.yaml");
  return { files, mtime };
}

function invalid(source: string, what: string): WerfError {
  return new WerfError("bundle/chart-invalid", `the chart of ${source} can't be used: ${what}`);
}
