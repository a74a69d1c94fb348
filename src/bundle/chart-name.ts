import { posix } from "node:path";
import { WerfError } from "../core/errors.js";
import { isChartName } from "./chart/chart-yaml.js";

/** How the chart of a bundle is named; the same on every path. */
export interface NamingOptions {
  /** `--rename-chart`. */
  readonly renameChart?: string;
  /** `--helm-compatible-chart`: the last part of the repository, which is what Helm looks for. */
  readonly helmCompatibleChart?: boolean;
}

/**
 * `--rename-chart` before `--helm-compatible-chart` before the name it has.
 * @throws WerfError `bundle/chart-name-invalid`
 */
export function chartName(options: NamingOptions, repository: string, current: string): string {
  const name =
    options.renameChart ?? (options.helmCompatibleChart === true ? posix.basename(repository) : current);
  if (isChartName(name)) return name;
  throw new WerfError("bundle/chart-name-invalid", `"${name}" can't be the name of a chart`, {
    hint: "name it with --rename-chart: letters, digits, . _ and -",
    exitCode: 2,
  });
}
