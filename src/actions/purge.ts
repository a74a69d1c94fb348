import { executePlan, gatherPurge, type InventoryInput } from "../cleanup/index.js";
import type { RunContext } from "../core/run-context.js";
import { readBundleRoots } from "./bundle-roots.js";
import { type DeletionSettings, finishDeletion, openRepositories, requireRepo } from "./deletion.js";
import { tasksAtOnce } from "./parallel.js";
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
      const { plan, facts } = await gatherPurge(run, input);
      const { repositories } = input;
      const outcome = settings.dryRun
        ? undefined
        : await executePlan(run, {
            plan,
            facts,
            repositories,
            strict: settings.strict,
            atOnce: tasksAtOnce(settings),
          });
      if (outcome?.kind === "stale") throw new Error("a purge has no references that could move");
      await finishDeletion(plan, outcome, { report, verbose: settings.verbose, print });
    }),
  );
}
