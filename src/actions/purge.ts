import { gatherPurge, type InventoryInput } from "../cleanup/index.js";
import type { RunContext } from "../core/run-context.js";
import { readBundleRoots } from "./bundle-roots.js";
import {
  type DeletionSettings,
  openRepositories,
  type Planned,
  planAndDelete,
  requireRepo,
} from "./deletion.js";
import { type ProjectSettings, withProject } from "./project.js";
import { checkReportPath } from "./report-file.js";
import { withStores } from "./stores.js";

export interface PurgeSettings extends ProjectSettings, DeletionSettings {}

/** `werf purge`: everything of this project, whatever uses it. */
export async function purgeRepository(
  run: RunContext,
  settings: PurgeSettings,
  print: (line: string) => void,
): Promise<void> {
  requireRepo(settings, "purge");
  const report = settings.saveCleanupReport
    ? await checkReportPath(run, settings.cleanupReportPath, [".json"])
    : undefined;
  await withProject(run, settings, ({ config }) =>
    withStores(run, settings, async (stores) => {
      const input: InventoryInput = {
        project: config.project,
        repositories: openRepositories(stores, settings, config.project),
        imageNames: config.images.map(({ name }) => name),
        readBundle: readBundleRoots,
      };
      const { repositories } = input;
      const plan = async (): Promise<Planned> => ({ ...(await gatherPurge(run, input)), repositories });
      await planAndDelete(run, settings, plan, { report, print });
    }),
  );
}
