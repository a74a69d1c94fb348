import type { Readable } from "node:stream";
import { WerfError } from "../core/errors.js";
import {
  blockSize,
  checkHeader,
  checksumOf,
  fields,
  paddingOf,
  type TarHeader,
  typeFlags,
} from "./tar-header.js";

export type { TarHeader };

export interface TarItem {
  readonly header: TarHeader;
  /** Only of files; opened when its turn comes, and never held in memory as a whole when it is a stream. */
  content?(): Readable | Uint8Array | Promise<Readable | Uint8Array>;
}

const maxOctal7 = 0o7777777;
const maxOctal11 = 0o77777777777;
const endOfArchive = 2 * blockSize;

/**
 * Writes a tar archive in ustar format, with a pax extended header for the entries that need one (POSIX.1-2017,
 * pax). The bytes depend on the items only: same items, same bytes, on every machine.
 * @throws WerfError `archive/header-invalid`; `archive/size-mismatch` when content isn't as long as its header says
 */
export async function* writeTar(
  items: AsyncIterable<TarItem> | Iterable<TarItem>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const item of items) {
    yield encodeHeader(item.header);
    yield* contentOf(item);
    const padding = paddingOf(item.header.size);
    if (padding > 0) yield new Uint8Array(padding);
  }
  yield new Uint8Array(endOfArchive);
}

async function* contentOf({ header, content }: TarItem): AsyncGenerator<Uint8Array, void, undefined> {
  let seen = 0;
  const source = content === undefined ? new Uint8Array(0) : await content();
  for await (const chunk of source instanceof Uint8Array ? [source] : source) {
    const bytes = typeof chunk === "string" ? Buffer.from(chunk) : (chunk as Uint8Array);
    seen += bytes.length;
    if (seen > header.size) throw sizeMismatch(header, `at least ${seen}`);
    if (bytes.length > 0) yield bytes;
  }
  if (seen !== header.size) throw sizeMismatch(header, String(seen));
}

function sizeMismatch(header: TarHeader, seen: string): WerfError {
  return new WerfError(
    "archive/size-mismatch",
    `writing "${header.name}" into a tar archive: ${seen} bytes came, its header says ${header.size}`,
    { hint: "the file changed while it was read; run the command again when nothing writes to it" },
  );
}

/** The header block of an entry, after its pax extended header when it needs one. */
export function encodeHeader(given: TarHeader): Uint8Array {
  const name = given.type === "directory" && !given.name.endsWith("/") ? `${given.name}/` : given.name;
  const header = { ...given, name };
  checkHeader(header);
  const records = paxRecords(header);
  const block = encodeBlock(header, typeFlags[header.type]);
  if (records.length === 0) return block;
  const body = Buffer.concat(records);
  const paxHeader = encodeBlock(
    { name: paxName(name), mode: 0o644, uid: 0, gid: 0, mtime: 0, size: body.length },
    "x",
  );
  return Buffer.concat([paxHeader, body, new Uint8Array(paddingOf(body.length)), block]);
}

type BlockFields = Omit<TarHeader, "type">;

function encodeBlock(header: BlockFields, typeFlag: string): Uint8Array {
  const block = Buffer.alloc(blockSize);
  const { prefix, name } = splitName(header.name) ?? { prefix: "", name: header.name };
  putText(block, fields.name, name);
  putText(block, fields.prefix, prefix);
  putText(block, fields.linkname, header.linkname ?? "");
  putOctal(block, fields.mode, header.mode);
  // What doesn't fit here stands in the pax header, which wins.
  putOctal(block, fields.uid, header.uid > maxOctal7 ? 0 : header.uid);
  putOctal(block, fields.gid, header.gid > maxOctal7 ? 0 : header.gid);
  putOctal(block, fields.size, header.size > maxOctal11 ? 0 : header.size);
  putOctal(block, fields.mtime, Math.min(Math.max(0, Math.floor(header.mtime)), maxOctal11));
  putOctal(block, fields.deviceMajor, header.deviceMajor ?? 0);
  putOctal(block, fields.deviceMinor, header.deviceMinor ?? 0);
  block.write(typeFlag, fields.type[0], "latin1");
  block.write("ustar\x0000", fields.magic[0], "latin1");
  block.write(`${checksumOf(block).toString(8).padStart(6, "0")}\0 `, fields.checksum[0], "latin1");
  return block;
}

function putText(block: Buffer, [at, length]: readonly [number, number], text: string): void {
  // Only a fallback for readers without pax: characters outside ASCII are in the extended header.
  const ascii = text.replaceAll(/[^\x01-\x7f]/gu, "_");
  block.write(ascii.slice(0, length), at, "latin1");
}

function putOctal(block: Buffer, [at, length]: readonly [number, number], value: number): void {
  block.write(value.toString(8).padStart(length - 1, "0"), at, "latin1");
}

/** Splits a long name at a slash into `prefix` and `name`; undefined when ustar can't hold it. */
function splitName(full: string): { prefix: string; name: string } | undefined {
  if (!isAscii(full)) return undefined;
  const [maxName, maxPrefix] = [fields.name[1], fields.prefix[1]];
  if (full.length <= maxName) return { prefix: "", name: full };
  // The rightmost slash that leaves a prefix short enough; the slash of a directory is no place to split.
  const slash = full.lastIndexOf("/", Math.min(maxPrefix, full.length - 2));
  if (slash <= 0 || full.length - slash - 1 > maxName) return undefined;
  return { prefix: full.slice(0, slash), name: full.slice(slash + 1) };
}

/** POSIX.1-2017, pax, "pax Extended Header": only what a ustar header can't hold, sorted by keyword. */
function paxRecords(header: TarHeader): Buffer[] {
  const records: Record<string, string> = {};
  if (header.gid > maxOctal7) records["gid"] = String(header.gid);
  const link = header.linkname ?? "";
  if (!isAscii(link) || link.length > fields.linkname[1]) records["linkpath"] = link;
  const { mtime } = header;
  if (mtime < 0 || mtime > maxOctal11 || !Number.isInteger(mtime)) records["mtime"] = decimal(mtime);
  if (splitName(header.name) === undefined) records["path"] = header.name;
  if (header.size > maxOctal11) records["size"] = String(header.size);
  if (header.uid > maxOctal7) records["uid"] = String(header.uid);
  return Object.entries(records).map(([key, value]) => paxRecord(key, value));
}

/** `LENGTH KEY=VALUE\n`, where LENGTH counts its own digits too. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.from(` ${key}=${value}\n`);
  let length = rest.length + String(rest.length).length;
  if (rest.length + String(length).length !== length) length = rest.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** At most nanoseconds, without an exponent and without zeros at the end. */
function decimal(seconds: number): string {
  if (Number.isInteger(seconds)) return String(seconds);
  return seconds.toFixed(9).replace(/\.?0+$/, "");
}

function paxName(name: string): string {
  const base = name.replace(/\/$/, "").split("/").at(-1) ?? "";
  const ascii = base.replaceAll(/[^\x20-\x7e]/gu, "_");
  return `PaxHeaders.0/${ascii}`.slice(0, fields.name[1]);
}

function isAscii(text: string): boolean {
  return /^[\x01-\x7f]*$/.test(text);
}
