import { join } from "node:path";
import type { RunContext } from "../core/run-context.js";
import { openRegistryRoot } from "../embedded-registry/store/root.js";
import { formatRepository, parseRepository, type RepositoryName } from "../oci/reference.js";
import type { Store } from "../oci/store.js";
import { openRegistry } from "../registry/client/registry.js";
import { type NamedRegistries, namedHosts } from "./named-registries.js";

export interface RegistryAccess extends NamedRegistries {
  readonly dockerConfig?: string | undefined;
  /** Plain HTTP is allowed with the registries that the settings name. */
  readonly insecureRegistry: boolean;
}

type AccessKind = "pull" | "push" | "delete";

/** Where the images of projects without `--repo` are found; `.invalid` can't be a real registry. */
const localHost = "local.werf.invalid";

/** A repository to work on, and how its images are referred to. */
export interface OpenedRepository {
  readonly store: Store;
  readonly repository: RepositoryName;
  /** `host/name` */
  readonly address: string;
  readonly isLocal: boolean;
}

/**
 * Reads the addresses before anything else is done, so that a wrong one is told first.
 * @throws WerfError `oci/reference-invalid`
 */
export function checkAddresses(...addresses: readonly (string | undefined)[]): void {
  for (const address of addresses) if (address !== undefined) parseRepository(address);
}

/** Opens stores by address; the same one twice is the same store, so that what is known of it is known once. */
export interface Stores {
  /** Without an address: the project's place in the local store. */
  repository(address: string | undefined, project: string, access: AccessKind): OpenedRepository;
  at(repository: RepositoryName, access: AccessKind): Store;
  /** Takes a store that was opened elsewhere, to be closed with the others. */
  adopt<S extends Store>(store: S): S;
}

/** Opens stores for `use`, and ends writing to all of them when it is done or has failed. */
export async function withStores<T>(
  run: RunContext,
  access: RegistryAccess,
  use: (stores: Stores) => Promise<T>,
): Promise<T> {
  const opened = new Map<string, Store>();
  let outcome: "done" | "failed" = "failed";
  try {
    const result = await use(createStores(run, access, opened));
    outcome = "done";
    return result;
  } finally {
    await Promise.all([...opened.values()].map((store) => store.close(outcome)));
  }
}

function createStores(run: RunContext, access: RegistryAccess, opened: Map<string, Store>): Stores {
  const named = access.insecureRegistry ? namedHosts(access) : new Set<string>();
  const local = openRegistryRoot(join(run.werfHome, "local"));

  function open(repository: RepositoryName, kind: AccessKind): Store {
    const address = formatRepository(repository);
    const known = opened.get(address);
    if (known !== undefined) return known;
    const store =
      repository.host === localHost
        ? local.repository(repository.name)
        : openRegistry(run, repository, {
            insecure: named.has(repository.host),
            access: kind,
            ...(access.dockerConfig === undefined ? {} : { dockerConfigDir: access.dockerConfig }),
          });
    opened.set(address, store);
    return store;
  }

  return {
    repository(address, project, kind) {
      const repository =
        address === undefined ? { host: localHost, name: project } : parseRepository(address);
      return {
        store: open(repository, kind),
        repository,
        address: formatRepository(repository),
        isLocal: repository.host === localHost,
      };
    },
    at: open,
    adopt(store) {
      opened.set(store.address, store);
      return store;
    },
  };
}
