import { WerfError } from "../../core/errors.js";
import { isDigest } from "../../oci/digest.js";
import { isTag } from "../../oci/reference.js";

const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const maxNameLength = 255;

/** Whether it may be a repository: `<name>` of distribution-spec, "Pulling manifests". It can't leave a directory. */
export function isRepositoryName(text: string): boolean {
  return text.length <= maxNameLength && text.split("/").every((part) => component.test(part));
}

/** @throws WerfError `embedded-registry/name-invalid` */
export function checkRepositoryName(text: string): string {
  if (isRepositoryName(text)) return text;
  throw new WerfError("embedded-registry/name-invalid", `"${text.slice(0, 300)}" is not a repository name`, {
    hint: "a name has lower-case letters and digits with single . _ or any number of - between them, in parts separated by /",
  });
}

/** @throws WerfError `embedded-registry/tag-invalid` */
export function checkTag(text: string): string {
  if (isTag(text)) return text;
  throw new WerfError("embedded-registry/tag-invalid", `"${text.slice(0, 300)}" is not a tag`, {
    hint: "a tag has letters, digits, _ . and -, begins with a letter, digit or _, and is at most 128 long",
  });
}

/** Paths are made from digests: what the type says is checked again where it becomes a path. */
export function checkDigest(text: string): void {
  if (isDigest(text)) return;
  throw new WerfError("oci/digest-invalid", `"${text.slice(0, 160)}" is not a digest`);
}

const capital = /[A-Z]/;

/**
 * The file of a tag. Tags differ by case and some file systems don't, so the name is in lower case and says after
 * `!`, as a hexadecimal bit mask, which letters are capitals: `v1-RC` is `v1-rc!18`.
 */
export function tagFileName(tag: string): string {
  if (!capital.test(tag)) return tag;
  let mask = 0n;
  for (let i = 0; i < tag.length; i++) {
    if (capital.test(tag.charAt(i))) mask |= 1n << BigInt(i);
  }
  return `${tag.toLowerCase()}!${mask.toString(16)}`;
}

/** The inverse of `tagFileName`; a file that isn't a tag's gives undefined. */
export function tagOfFileName(name: string): string | undefined {
  const mark = name.indexOf("!");
  const lower = mark === -1 ? name : name.slice(0, mark);
  if (!isTag(lower)) return undefined;
  if (mark === -1) return name;
  const digits = name.slice(mark + 1);
  if (!/^[1-9a-f][0-9a-f]{0,31}$/.test(digits)) return undefined;
  const mask = BigInt(`0x${digits}`);
  let tag = "";
  for (let i = 0; i < lower.length; i++) {
    tag += (mask >> BigInt(i)) & 1n ? lower.charAt(i).toUpperCase() : lower.charAt(i);
  }
  return tag;
}
