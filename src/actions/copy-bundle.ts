import { openBundleArchive } from "../bundle/archive/open-archive.js";
import { copyBundle } from "../bundle/copy-bundle.js";
import { WerfError } from "../core/errors.js";
import type { RunContext } from "../core/run-context.js";
import { isDigest } from "../oci/digest.js";
import { createLayoutTar } from "../oci/layout/layout-tar-writer.js";
import { formatRepository, parseReference } from "../oci/reference.js";
import type { Store } from "../oci/store.js";
import { userPath } from "./project.js";
import { type RegistryAccess, type Stores, withStores } from "./stores.js";

export interface CopySettings extends RegistryAccess {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** Undefined: yes, unless the chart is renamed. */
  readonly helmCompatibleChart?: boolean | undefined;
  readonly renameChart?: string | undefined;
}

export interface CopiedBundle {
  /** `host/name:tag`, or `archive:FILE`. */
  readonly reference: string;
  /** `host/name@digest`, for a registry. */
  readonly byDigest?: string;
}

const archivePrefix = "archive:";
const defaultTag = "latest";

interface Source {
  readonly store: Store;
  readonly reference: string;
  readonly imagesBy: "digest" | "tag";
  readonly tag?: string;
}

interface Destination {
  readonly store: Store;
  readonly tag: string;
  /** Absent for an archive: its values stay those of the source. */
  readonly repository?: string;
}

/** `werf bundle copy`: a bundle with all its images, between registries and archives. */
export async function copyProjectBundle(run: RunContext, settings: CopySettings): Promise<CopiedBundle> {
  const from = required(settings.from, "from");
  const to = required(settings.to, "to");
  return withStores(run, settings, async (stores) => {
    const source = await openSource(run, stores, from);
    const destination = await openDestination(run, stores, to, source);
    const { repository, tag } = destination;
    const compatible = settings.helmCompatibleChart ?? settings.renameChart === undefined;
    const copied = await copyBundle(run, {
      source: source.store,
      reference: source.reference,
      imagesBy: source.imagesBy,
      destination: destination.store,
      tag,
      helmCompatibleChart: compatible,
      ...(settings.renameChart === undefined ? {} : { renameChart: settings.renameChart }),
      ...(repository === undefined ? {} : { rewriteFor: repository }),
    });
    return repository === undefined
      ? { reference: to }
      : { reference: `${repository}:${tag}`, byDigest: `${repository}@${copied.digest}` };
  });
}

function required(address: string | undefined, flag: "from" | "to"): string {
  if (address !== undefined) return address;
  throw new WerfError("actions/address-missing", `--${flag} is missing`, {
    hint: `name it: --${flag} HOST/NAME:TAG or --${flag} archive:FILE`,
    exitCode: 2,
  });
}

/** @throws WerfError `actions/address-missing` when there is no name after `archive:` */
function archiveFile(run: RunContext, address: string): string {
  const path = address.slice(archivePrefix.length);
  if (path !== "") return userPath(run, path);
  throw new WerfError("actions/address-missing", `"${address}" names no file`, {
    hint: "write archive:FILE",
    exitCode: 2,
  });
}

async function openSource(run: RunContext, stores: Stores, address: string): Promise<Source> {
  if (address.startsWith(archivePrefix)) {
    const archive = await openBundleArchive(run, archiveFile(run, address));
    stores.adopt(archive.store);
    return { ...archive, ...(isDigest(archive.reference) ? {} : { tag: archive.reference }) };
  }
  const { repository, tag, digest } = parseReference(address);
  return {
    store: stores.at(repository, "pull"),
    reference: digest ?? tag ?? defaultTag,
    imagesBy: "digest",
    ...(tag === undefined ? {} : { tag }),
  };
}

async function openDestination(
  run: RunContext,
  stores: Stores,
  address: string,
  source: Source,
): Promise<Destination> {
  if (address.startsWith(archivePrefix)) {
    const store = await createLayoutTar(run, archiveFile(run, address));
    return { store: stores.adopt(store), tag: source.tag ?? defaultTag };
  }
  const { repository, tag, digest } = parseReference(address);
  if (digest !== undefined) {
    throw new WerfError("actions/copy-to-digest", `--to ${address}: a bundle can't be copied to a digest`, {
      hint: "its values name the destination, so its digest follows from the copy: name a tag",
      exitCode: 2,
    });
  }
  const store = stores.at(repository, "push");
  return { store, tag: tag ?? defaultTag, repository: formatRepository(repository) };
}
