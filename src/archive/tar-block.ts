import { WerfError } from "../core/errors.js";
import { checksumOf, fields, type TarEntryType, type TarHeader, typeFlags } from "./tar-header.js";

/** A header block as it stands, before pax and GNU extensions are applied. */
export interface TarBlock {
  readonly typeFlag: string;
  readonly name: string;
  readonly linkname: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
}

const types = new Map<string, TarEntryType>([
  ...Object.entries(typeFlags).map(([type, flag]): [string, TarEntryType] => [flag, type as TarEntryType]),
  ["\0", "file"],
  // Contiguous file: an ordinary one everywhere but on systems of the past.
  ["7", "file"],
]);

/** Whether the checksum field holds the sum of the bytes; some old writers added them as signed numbers. */
export function hasValidChecksum(block: Buffer): boolean {
  const [at, length] = fields.checksum;
  const text = /^[ \0]*([0-7]{1,8})[ \0]*$/.exec(block.toString("latin1", at, at + length))?.[1];
  if (text === undefined) return false;
  const said = Number.parseInt(text, 8);
  if (said === checksumOf(block)) return true;
  let signed = 0x20 * length;
  for (let i = 0; i < block.length; i++) if (i < at || i >= at + length) signed += block.readInt8(i);
  return said === signed;
}

/** @throws WerfError `archive/corrupt` for a field that is no number */
export function decodeBlock(block: Buffer, position: number): TarBlock {
  const text = ([at, length]: readonly [number, number]): string => {
    const end = block.subarray(at, at + length).indexOf(0);
    return block.toString("utf8", at, end === -1 ? at + length : at + end);
  };
  const number = (field: keyof typeof fields, lowest = 0): number => {
    const [at, length] = fields[field];
    const value = decodeNumber(block.subarray(at, at + length));
    if (value !== undefined && value >= lowest) return value;
    throw new WerfError(
      "archive/corrupt",
      `the tar header at byte ${position} ("${text(fields.name).slice(0, 300)}"): its ${field} is no valid number`,
    );
  };
  // In GNU's own variant ("ustar  ") the place of the prefix holds other things.
  const isUstar = block.toString("latin1", fields.magic[0], fields.magic[0] + 6) === "ustar\0";
  const prefix = isUstar ? text(fields.prefix) : "";
  const name = text(fields.name);
  const typeFlag = block.toString("latin1", fields.type[0], fields.type[0] + 1);
  const isDevice = typeFlag === "3" || typeFlag === "4";
  return {
    typeFlag,
    name: prefix === "" ? name : `${prefix}/${name}`,
    linkname: text(fields.linkname),
    // Old writers put the file type into the mode too.
    mode: number("mode") & 0o7777,
    uid: number("uid", Number.MIN_SAFE_INTEGER),
    gid: number("gid", Number.MIN_SAFE_INTEGER),
    size: number("size"),
    mtime: number("mtime", Number.MIN_SAFE_INTEGER),
    deviceMajor: isDevice ? number("deviceMajor") : 0,
    deviceMinor: isDevice ? number("deviceMinor") : 0,
  };
}

/** Octal digits, or GNU's base-256 when the first bit is set; undefined for anything else. */
function decodeNumber(field: Buffer): number | undefined {
  const first = field[0] ?? 0;
  if ((first & 0x80) !== 0) {
    const negative = (first & 0x40) !== 0;
    let value = BigInt(first & 0x3f) - (negative ? 64n : 0n);
    for (const byte of field.subarray(1)) value = value * 256n + BigInt(byte);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : undefined;
  }
  const text = field
    .toString("latin1")
    .replace(/^[ \0]+/, "")
    .replace(/[ \0].*$/s, "");
  if (text === "") return 0;
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : undefined;
}

/** What pax records and GNU's long names say instead of the header block. */
export interface Overrides {
  readonly name?: string;
  readonly linkname?: string;
  readonly records: ReadonlyMap<string, string>;
}

/**
 * The entry that a block and its extensions describe.
 * @throws WerfError `archive/corrupt`, `archive/unsupported-entry`
 */
export function headerOf(block: TarBlock, { name, linkname, records }: Overrides): TarHeader {
  const fullName = records.get("path") ?? name ?? block.name;
  const size = numberOf(records, "size", fullName) ?? block.size;
  const type = typeOf(block, records, fullName, size);
  return {
    name: type === "directory" && !fullName.endsWith("/") ? `${fullName}/` : fullName,
    type,
    mode: block.mode,
    uid: numberOf(records, "uid", fullName) ?? block.uid,
    gid: numberOf(records, "gid", fullName) ?? block.gid,
    mtime: numberOf(records, "mtime", fullName) ?? block.mtime,
    size: type === "file" ? size : 0,
    ...(type === "symlink" || type === "hardlink"
      ? { linkname: records.get("linkpath") ?? linkname ?? block.linkname }
      : {}),
    ...(type === "character-device" || type === "block-device"
      ? { deviceMajor: block.deviceMajor, deviceMinor: block.deviceMinor }
      : {}),
  };
}

function typeOf(
  block: TarBlock,
  records: ReadonlyMap<string, string>,
  name: string,
  size: number,
): TarEntryType {
  const type = types.get(block.typeFlag);
  const isSparse = [...records.keys()].some((key) => key.startsWith("GNU.sparse."));
  if (type === undefined || isSparse) {
    const what = isSparse ? "a sparse file" : `of type "${printable(block.typeFlag)}"`;
    throw new WerfError("archive/unsupported-entry", `the tar entry "${name.slice(0, 300)}" is ${what}`, {
      hint: "write the archive in pax or ustar format, without sparse files: tar --format=pax",
    });
  }
  // Before ustar, a directory was a file whose name ends with a slash.
  if (type !== "file" || !name.endsWith("/")) return type;
  if (size === 0) return "directory";
  throw new WerfError("archive/corrupt", `the tar entry "${name.slice(0, 300)}" is a directory with content`);
}

function numberOf(records: ReadonlyMap<string, string>, key: string, name: string): number | undefined {
  const text = records.get(key);
  if (text === undefined) return undefined;
  const isTime = key === "mtime";
  const value = Number(text);
  if ((isTime ? /^-?\d+(?:\.\d*)?$/ : /^\d+$/).test(text) && Math.abs(value) <= Number.MAX_SAFE_INTEGER)
    return value;
  throw new WerfError(
    "archive/corrupt",
    `the tar entry "${name.slice(0, 300)}": its pax ${key} is "${text.slice(0, 40)}"`,
  );
}

function printable(flag: string): string {
  return /[!-~]/.test(flag) ? flag : `\\x${flag.charCodeAt(0).toString(16).padStart(2, "0")}`;
}

/**
 * POSIX.1-2017, pax, "pax Extended Header": records of `LENGTH KEY=VALUE\n`; an empty value takes a key away.
 * @throws WerfError `archive/corrupt`
 */
export function applyPaxRecords(body: Buffer, into: Map<string, string>, position: number): void {
  let at = 0;
  while (at < body.length) {
    const space = body.indexOf(0x20, at);
    const digits = space === -1 ? "" : body.toString("latin1", at, space);
    const end = at + Number(digits);
    const equals = body.indexOf(0x3d, space);
    const isRecord = /^[1-9]\d{0,9}$/.test(digits) && end <= body.length && body[end - 1] === 0x0a;
    if (!isRecord || equals === -1 || equals >= end) {
      throw new WerfError(
        "archive/corrupt",
        `the pax header at byte ${position} of the tar archive is damaged`,
      );
    }
    const key = body.toString("utf8", space + 1, equals);
    const value = body.toString("utf8", equals + 1, end - 1);
    if (value === "") into.delete(key);
    else into.set(key, value);
    at = end;
  }
}
