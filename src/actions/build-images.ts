import type { ReportedImage } from "../build/report/build-report.js";
import { formatEnvironmentReport, formatJsonReport } from "../build/report/build-report.js";
import type { RunContext } from "../core/run-context.js";
import { type ProjectSettings, withProject } from "./project.js";
import { type ProvideSettings, provideImages } from "./provide-images.js";
import { checkReportPath, writeReport } from "./report-file.js";
import { createStores, type RegistryAccess } from "./stores.js";

export interface BuildSettings extends ProjectSettings, RegistryAccess, ProvideSettings {
  readonly saveBuildReport: boolean;
  readonly buildReportPath: string;
}

/** `werf build`: brings the images of werf.yaml into the repository. Returns them in dependency order. */
export async function buildImages(
  run: RunContext,
  settings: BuildSettings,
): Promise<readonly ReportedImage[]> {
  const report = settings.saveBuildReport
    ? await checkReportPath(run, settings.buildReportPath, [".json", ".env"])
    : undefined;
  return withProject(run, settings, async (project) => {
    const stores = createStores(run, settings);
    let outcome: "done" | "failed" = "failed";
    try {
      const images = (await provideImages(run, project, stores, settings)).map(({ image }) => image);
      if (report !== undefined) {
        await writeReport(
          report,
          report.endsWith(".env") ? formatEnvironmentReport(images) : formatJsonReport(images),
        );
      }
      outcome = "done";
      return images;
    } finally {
      await stores.close(outcome);
    }
  });
}
