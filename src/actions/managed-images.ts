import { WerfError } from "../core/errors.js";
import type { RunContext } from "../core/run-context.js";
import type { DeleteResult } from "../oci/deletion.js";
import { isolateTag } from "../oci/isolate.js";
import type { Store } from "../oci/store.js";
import { createRecordWriter } from "../records/record-writer.js";
import { readSnapshot } from "../records/snapshot.js";
import { managedImageTag } from "../records/tags.js";
import { type ProjectSettings, withProject } from "./project.js";
import { checkAddresses, type RegistryAccess, withStores } from "./stores.js";

export interface ManagedImagesSettings extends ProjectSettings, RegistryAccess {
  readonly repo?: string | undefined;
}

interface Opened {
  readonly project: string;
  readonly store: Store;
  readonly address: string;
}

/** `werf managed-images ls`: the recorded names, sorted; werf v2's image without a name is `~`. */
export async function listManagedImages(
  run: RunContext,
  settings: ManagedImagesSettings,
): Promise<readonly string[]> {
  return withRepository(run, settings, "pull", async ({ store }) => {
    const { managedImages } = await readSnapshot(store);
    return managedImages.map(({ name }) => (name === "" ? "~" : name)).sort();
  });
}

/** `werf managed-images add`; a name that is there stays. */
export async function addManagedImage(
  run: RunContext,
  settings: ManagedImagesSettings,
  name: string,
): Promise<void> {
  await withRepository(run, settings, "push", async ({ project, store, address }) => {
    const tag = managedImageTag(nameOf(name));
    if ((await store.statManifest(tag)).kind === "present") {
      return run.emit({ code: "note", level: "info", message: `${name} is managed already in ${address}` });
    }
    await createRecordWriter(run, store, project).write(tag);
  });
}

/**
 * `werf managed-images rm`: the record goes, images stay.
 * @throws WerfError `actions/record-refused` when the registry doesn't delete it
 */
export async function removeManagedImage(
  run: RunContext,
  settings: ManagedImagesSettings,
  name: string,
): Promise<void> {
  await withRepository(run, settings, "delete", async ({ store, address }) => {
    const tag = managedImageTag(nameOf(name));
    const result = await deleteRecord(store, tag);
    if (result.kind === "absent") {
      run.emit({ code: "note", level: "info", message: `${name} is not managed in ${address}` });
    }
    if (result.kind !== "refused") return;
    throw new WerfError("actions/record-refused", `${address}:${tag} stays: ${result.answer}`, {
      hint: result.hint,
    });
  });
}

/** Only the tag: what else points to the same manifest stays. */
async function deleteRecord(store: Store, tag: string): Promise<DeleteResult> {
  const { deleteTag } = await store.deletionRules();
  if (deleteTag === "native") return store.deleteTag(tag);
  const found = await store.statManifest(tag);
  if (found.kind === "missing") return { kind: "absent" };
  if (deleteTag !== "isolate") {
    const answer = "this registry deletes no tags";
    return { kind: "refused", reason: "unsupported", answer, hint: "delete the tag in its user interface" };
  }
  const result = await isolateTag(store, tag, found.descriptor.digest);
  // Somebody writes the record right now: for them it is managed.
  return result.kind === "moved" ? { kind: "absent" } : result;
}

const nameless = "~";

function nameOf(name: string): string {
  return name === nameless ? "" : name;
}

async function withRepository<T>(
  run: RunContext,
  settings: ManagedImagesSettings,
  access: "pull" | "push" | "delete",
  use: (opened: Opened) => Promise<T>,
): Promise<T> {
  const { repo } = settings;
  checkAddresses(repo);
  if (repo === undefined) {
    throw new WerfError(
      "actions/repo-missing",
      "--repo=ADDRESS is required: the local store has no records",
      {
        hint: "name the repository with --repo or WERF_REPO",
        exitCode: 2,
      },
    );
  }
  return withProject(run, settings, ({ config: { project } }) =>
    withStores(run, settings, (stores) => {
      const { store, address } = stores.repository(repo, project, access);
      return use({ project, store, address });
    }),
  );
}
