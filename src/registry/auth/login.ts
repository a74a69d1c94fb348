import { WerfError } from "../../core/errors.js";
import { dockerHub, parseRepository } from "../../oci/reference.js";

/** A user of a registry, as somebody says who logs in. */
export interface Login {
  /** As in addresses; Docker Hub is `docker.io`. */
  readonly host: string;
  readonly username: string;
  readonly password: string;
  /** What the registry gave in exchange: it is kept, and the password isn't. */
  readonly identityToken?: string;
}

/**
 * The host of what a user names a registry by: `HOST[:PORT]`, an address below it, or the same with a scheme.
 * Without any it is Docker Hub.
 * @throws WerfError `registry/host-invalid`
 */
export function loginHost(registry: string | undefined): string {
  if (registry === undefined || registry === "") return dockerHub;
  const host = registry.replace(/^(?:https?|oci|docker):\/\//i, "").replace(/\/.*$/s, "");
  try {
    const repository = parseRepository(`${host}/x`);
    if (repository.name === "x" || repository.name === "library/x") return repository.host;
  } catch {
    // Below.
  }
  throw new WerfError("registry/host-invalid", `"${registry.slice(0, 300)}" is not the host of a registry`, {
    hint: "write HOST or HOST:PORT, as in addresses of images; a host without a dot needs its port (harbor:443)",
    exitCode: 2,
  });
}
