import { isTag } from "../oci/reference.js";
import { murmurHash } from "./murmur.js";
import { transliterate } from "./transliteration.js";

const maxTagLength = 128;
const maxNamespaceLength = 63;
const maxReleaseLength = 53;
const maxProjectLength = 50;
const dnsLabel = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;

/** Lower-case ASCII letters, digits and single dashes; no dash at either end. */
export function slug(text: string): string {
  return Array.from(text, transliterate).join("").replace(/-+/g, "-").replace(/^-|-$/g, "");
}

/** `text` when it is a slug of at most `maxLength`, else its slug, cut, with a hash of the text behind it. */
export function limitedSlug(text: string, maxLength: number): string {
  if (text === "" || isLimitedSlug(text, maxLength)) return text;
  return hashedSlug(text, maxLength);
}

/** What an earlier run cut at a dash has two dashes before its hash; it is a slug all the same. */
function isLimitedSlug(text: string, maxLength: number): boolean {
  if (text.length > maxLength) return false;
  if (slug(text) === text) return true;
  if (text.split("--").length !== 2) return false;
  const single = text.replace("--", "-");
  return slug(single) === single;
}

/** `werf slugify -f docker-tag`: a valid tag as it is. */
export function dockerTagSlug(text: string): string {
  return text === "" || isTag(text) ? text : hashedSlug(text, maxTagLength);
}

/** `werf slugify -f kubernetes-namespace`: a DNS-1123 label as it is. */
export function namespaceSlug(text: string): string {
  const valid = text === "" || (text.length <= maxNamespaceLength && dnsLabel.test(text));
  return valid ? text : hashedSlug(text, maxNamespaceLength);
}

/** `werf slugify -f helm-release`: a DNS-1123 subdomain of at most 53 characters as it is. */
export function releaseSlug(text: string): string {
  const valid = text.length <= maxReleaseLength && text.split(".").every((label) => dnsLabel.test(label));
  return text === "" || valid ? text : hashedSlug(text, maxReleaseLength);
}

/** A project's name is used as it is when valid, else its slug, cut, without a hash. */
export function projectSlug(text: string): string {
  const valid = text.length <= maxProjectLength && dnsLabel.test(text);
  return text === "" || valid ? text : slug(text).slice(0, maxProjectLength);
}

function hashedSlug(text: string, maxLength: number): string {
  const hash = murmurHash(text);
  const cut = slug(text).slice(0, maxLength - hash.length - 1);
  return cut === "" ? hash : `${cut}-${hash}`;
}
