import { WerfError } from "../core/errors.js";

export type TarEntryType =
  | "file"
  | "directory"
  | "symlink"
  | "hardlink"
  | "character-device"
  | "block-device"
  | "fifo";

/** One entry of a tar archive, without its content. */
export interface TarHeader {
  /** With forward slashes; that of a directory ends with one (the writer adds it). */
  readonly name: string;
  readonly type: TarEntryType;
  /** Permission bits with setuid, setgid and sticky: at most 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970, down to nanoseconds; may be negative. */
  readonly mtime: number;
  /** Bytes of content; 0 for everything but files. */
  readonly size: number;
  /** Of symlinks and hardlinks. */
  readonly linkname?: string;
  /** Of devices; default 0. */
  readonly deviceMajor?: number;
  readonly deviceMinor?: number;
}

/** tar counts in blocks of this many bytes. */
export const blockSize = 512;

/** POSIX.1-2017, pax, "ustar Interchange Format": typeflag. */
export const typeFlags: Readonly<Record<TarEntryType, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  "character-device": "3",
  "block-device": "4",
  directory: "5",
  fifo: "6",
};

/** Where each field of a ustar header stands: offset and length in bytes. */
export const fields = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkname: [157, 100],
  magic: [257, 8],
  deviceMajor: [329, 8],
  deviceMinor: [337, 8],
  prefix: [345, 155],
} as const;

/** The sum of all bytes, the checksum field itself counted as spaces. */
export function checksumOf(block: Uint8Array): number {
  const [at, length] = fields.checksum;
  let sum = 0x20 * length;
  for (let i = 0; i < blockSize; i++) {
    if (i < at || i >= at + length) sum += block[i] ?? 0;
  }
  return sum;
}

/** How many zero bytes follow `size` bytes of content. */
export function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

/** @throws WerfError `archive/header-invalid` for what no tar archive can hold */
export function checkHeader(header: TarHeader): void {
  const { name, type, linkname, size } = header;
  checkText(header, "name", name);
  if (name === "") throw invalid(header, "its name is empty");
  if (type !== "directory" && name.endsWith("/"))
    throw invalid(header, "only a directory's name ends with /");
  const isLink = type === "symlink" || type === "hardlink";
  if (isLink !== (linkname !== undefined && linkname !== ""))
    throw invalid(header, isLink ? "it has no linkname" : "only links have a linkname");
  if (linkname !== undefined) checkText(header, "linkname", linkname);
  if (type !== "file" && size !== 0) throw invalid(header, "only files have a size");
  const device = 0o7777777;
  checkNumber(header, "mode", header.mode, 0o7777);
  checkNumber(header, "uid", header.uid, Number.MAX_SAFE_INTEGER);
  checkNumber(header, "gid", header.gid, Number.MAX_SAFE_INTEGER);
  checkNumber(header, "size", size, Number.MAX_SAFE_INTEGER);
  checkNumber(header, "deviceMajor", header.deviceMajor ?? 0, device);
  checkNumber(header, "deviceMinor", header.deviceMinor ?? 0, device);
  if (!Number.isFinite(header.mtime) || Math.abs(header.mtime) > Number.MAX_SAFE_INTEGER)
    throw invalid(header, `its mtime is ${header.mtime}`);
}

function checkText(header: TarHeader, field: string, text: string): void {
  if (text.includes("\0")) throw invalid(header, `its ${field} has a NUL`);
  if (Buffer.from(text).toString() !== text) throw invalid(header, `its ${field} is no Unicode text`);
}

function checkNumber(header: TarHeader, field: string, value: number, max: number): void {
  if (!Number.isSafeInteger(value) || value < 0 || value > max)
    throw invalid(header, `its ${field} is ${value}`);
}

function invalid(header: TarHeader, what: string): WerfError {
  return new WerfError(
    "archive/header-invalid",
    `"${header.name.slice(0, 300)}" can't be an entry of a tar archive: ${what}`,
  );
}
