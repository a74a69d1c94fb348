import { readFile } from "node:fs/promises";
import { gatherCleanup, type InventoryInput, parseKeepList, parseMaxDelete } from "../cleanup/index.js";
import { messageOf, WerfError } from "../core/errors.js";
import type { RunContext } from "../core/run-context.js";
import { readBundleRoots } from "./bundle-roots.js";
import {
  type DeletionSettings,
  openRepositories,
  type Planned,
  planAndDelete,
  requireRepo,
} from "./deletion.js";
import { readGitEvidence } from "./git-facts.js";
import { type Project, type ProjectSettings, userPath, withProject } from "./project.js";
import { checkReportPath } from "./report-file.js";
import { type Stores, withStores } from "./stores.js";

export interface CleanupSettings extends ProjectSettings, DeletionSettings {
  readonly withoutKube: boolean;
  readonly keepStagesBuiltWithinLastNHours?: number | undefined;
  readonly keepList?: string | undefined;
  readonly maxDelete?: string | undefined;
}

/** `werf cleanup`: `print` gets the lines of the plan, or of what was done. */
export async function cleanupRepository(
  run: RunContext,
  settings: CleanupSettings,
  print: (line: string) => void,
): Promise<void> {
  requireRepo(settings, "cleanup");
  const maxDelete = settings.maxDelete === undefined ? undefined : parseMaxDelete(settings.maxDelete);
  requireHours(settings.keepStagesBuiltWithinLastNHours);
  const keepList = await readKeepList(run, settings.keepList);
  const report = settings.saveCleanupReport
    ? await checkReportPath(run, settings.cleanupReportPath, [".json"])
    : undefined;
  await withProject(run, settings, (project) =>
    withStores(run, settings, async (stores) => {
      requireKubeDecision(project, settings);
      const plan = async (): Promise<Planned> => {
        const { input, check } = await gatherInput(run, project, stores, settings, keepList);
        const hours = settings.keepStagesBuiltWithinLastNHours;
        const planned = await gatherCleanup(run, input, project.config.cleanup, {
          ...(hours === undefined ? {} : { keepBuiltWithinHours: hours }),
          ...(maxDelete === undefined ? {} : { maxDelete }),
        });
        const { repositories } = input;
        return { ...planned, repositories, ...(check === undefined ? {} : { checkReferences: check }) };
      };
      await planAndDelete(run, settings, plan, { report, print });
    }),
  );
}

async function gatherInput(
  run: RunContext,
  project: Project,
  stores: Stores,
  settings: CleanupSettings,
  keepList: readonly string[],
): Promise<{ input: InventoryInput; check?: () => Promise<"same" | "moved"> }> {
  const { config } = project;
  const wantsGit = !config.cleanup.disable && !config.cleanup.disableGitHistoryBasedPolicy;
  const git = wantsGit ? await readGitEvidence(run, project) : undefined;
  const input: InventoryInput = {
    project: config.project,
    repositories: openRepositories(stores, settings, config.project),
    imageNames: config.images.map(({ name }) => name),
    keepList,
    readBundle: readBundleRoots,
    ...(git === undefined ? {} : { git: git.facts }),
  };
  return { input, ...(git === undefined ? {} : { check: git.check }) };
}

/** Images that run must not be forgotten in silence: not to look at clusters is the user's decision. */
function requireKubeDecision({ config }: Project, { withoutKube }: CleanupSettings): void {
  if (withoutKube || config.cleanup.disable || config.cleanup.disableKubernetesBasedPolicy) return;
  throw new WerfError("cleanup/kube-undecided", "which images Kubernetes uses can't be looked up yet", {
    hint: "with --without-kube (or WERF_WITHOUT_KUBE=1, or cleanup.disableKubernetesBasedPolicy in werf.yaml) images are kept by the other policies alone; name images that run in a --keep-list",
    exitCode: 2,
  });
}

function requireHours(hours: number | undefined): void {
  if (hours === undefined || hours >= 0) return;
  const flag = "--keep-stages-built-within-last-n-hours";
  throw new WerfError("cleanup/hours", `${flag}: ${hours} hours are less than none`, {
    hint: "0 switches this rule off",
    exitCode: 2,
  });
}

async function readKeepList(run: RunContext, path: string | undefined): Promise<readonly string[]> {
  if (path === undefined) return [];
  let text: string;
  try {
    text = await readFile(userPath(run, path), "utf8");
  } catch (cause) {
    throw new WerfError("cleanup/keep-list", `the keep list ${path} can't be read: ${messageOf(cause)}`, {
      hint: "--keep-list names a file with one tag a line; the path starts from the current directory",
      exitCode: 2,
      cause,
    });
  }
  return parseKeepList(text, path);
}
