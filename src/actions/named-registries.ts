import { parseReference } from "../oci/reference.js";

/** The settings in which a user names registries. */
export interface NamedRegistries {
  readonly repo?: string | undefined;
  readonly finalRepo?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/**
 * The hosts of the registries that the settings name, as they stand in addresses. `--insecure-registry` and
 * `--skip-tls-verify-registry` are about these alone, not about what a Dockerfile names.
 */
export function namedHosts({ repo, finalRepo, from, to }: NamedRegistries): ReadonlySet<string> {
  return new Set([repo, finalRepo, from, to].flatMap((address) => hostOf(address) ?? []));
}

/** `undefined` for a file, and for what isn't an address: that is told, and better, when it is opened. */
function hostOf(address: string | undefined): string | undefined {
  if (address === undefined || address.startsWith("archive:")) return undefined;
  try {
    return parseReference(address).repository.host;
  } catch {
    return undefined;
  }
}
