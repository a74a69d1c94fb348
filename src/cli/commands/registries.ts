import { parseReference } from "../../oci/reference.js";

/** The registry's host in an address; `undefined` for a file, and for what isn't an address (said later, better). */
export function hostOf(address: string | undefined): string | undefined {
  if (address === undefined || address.startsWith("archive:")) return undefined;
  try {
    return parseReference(address).repository.host;
  } catch {
    return undefined;
  }
}
