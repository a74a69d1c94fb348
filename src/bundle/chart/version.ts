import { WerfError } from "../../core/errors.js";
import { isTag } from "../../oci/reference.js";
import { slug } from "../../records/slug.js";

const identifiers = "[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*";
const lenient = new RegExp(
  `^v?([0-9]+)(?:\\.([0-9]+))?(?:\\.([0-9]+))?(?:-(${identifiers}))?(?:\\+(${identifiers}))?$`,
);
const maxPart = 2n ** 64n - 1n;

/**
 * A version as https://semver.org has it, from the looser spellings that Helm takes: `v1.2` is `1.2.0`.
 * `undefined` when it is none.
 */
export function normalizeVersion(text: string): string | undefined {
  const match = lenient.exec(text);
  if (match === null) return undefined;
  const [, major = "0", minor = "0", patch = "0", prerelease, build] = match;
  const numbers = [major, minor, patch].map((part) => BigInt(part));
  if (numbers.some((part) => part > maxPart)) return undefined;
  if ((prerelease ?? "").split(".").some((part) => /^0[0-9]+$/.test(part))) return undefined;
  const core = numbers.join(".");
  return `${core}${prerelease === undefined ? "" : `-${prerelease}`}${build === undefined ? "" : `+${build}`}`;
}

/**
 * The version of the chart that is published under a tag: the tag where it is a version (Helm writes the `+` of a
 * version as `_`, which a tag may have), else `0.0.0-SECONDS-SLUG` of the commit's time, in seconds since 1970.
 */
export function chartVersion(tag: string, commitSeconds: number): string {
  const version = normalizeVersion(tag) ?? normalizeVersion(tag.replace("_", "+"));
  if (version !== undefined) return version;
  const tail = slug(tag);
  return `0.0.0-${commitSeconds}${tail === "" ? "" : `-${tail}`}`;
}

/**
 * The tag for a version or a tag: Helm's `_` for the `+` that no tag may have.
 * @throws WerfError `bundle/tag-invalid`
 */
export function bundleTag(text: string): string {
  const tag = text.replaceAll("+", "_");
  if (isTag(tag)) return tag;
  throw new WerfError("bundle/tag-invalid", `"${text}" can't be the tag of a bundle`, {
    hint: "a tag has letters, digits, _ . and -, doesn't begin with . or -, and is at most 128 long",
    exitCode: 2,
  });
}
