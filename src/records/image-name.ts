import { isTag } from "../oci/reference.js";
import { murmurHash } from "./murmur.js";
import { limitedSlug } from "./slug.js";

const maxIdLength = 128 - "managed-image-".length;
const nameless = "__nameless__";
const escapes = [
  [" ", "__space__"],
  ["/", "__slash__"],
  ["+", "__plus__"],
] as const;

/** How a managed-image record spells the name of an image. */
export function managedImageId(name: string): string {
  if (name === "") return nameless;
  const escaped = escapes.reduce((text, [plain, spelt]) => text.replaceAll(plain, spelt), name);
  return isTag(escaped) ? escaped : limitedSlug(escaped, maxIdLength);
}

/** The name that a managed-image record spells; the image without a name of werf v2 is "". */
export function managedImageName(id: string): string {
  if (id === nameless) return "";
  return escapes.reduce((text, [plain, spelt]) => text.replaceAll(spelt, plain), id);
}

/** How `meta-*` records spell the name of an image; it can't be turned back, only compared. */
export function imageMetadataId(name: string): string {
  return murmurHash(managedImageName(managedImageId(name)));
}
