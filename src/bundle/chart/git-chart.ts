import { posix } from "node:path";
import { buffer } from "node:stream/consumers";
import { WerfError } from "../../core/errors.js";
import type { Commit, GitRepository, TreeEntry } from "../../git/repository.js";
import { maxChartBytes } from "./chart.js";
import { type ChartDependency, ChartYaml } from "./chart-yaml.js";
import { type HelmIgnore, parseHelmIgnore } from "./helm-ignore.js";

export interface GitChartSource {
  readonly git: GitRepository;
  readonly commit: Commit;
  /** Of the chart, relative to the work tree, with forward slashes: `.helm`. */
  readonly directory: string;
}

const maxDependencyDepth = 8;

/**
 * The files of a chart as the commit has them, without what `.helmignore` leaves out. Local dependencies
 * (`file://`) come into `charts/`; remote ones must lie there.
 * @throws WerfError `bundle/chart-missing`, `bundle/dependency-missing`, `bundle/chart-invalid`,
 *   `bundle/helmignore-invalid`
 */
export async function readGitChart(source: GitChartSource): Promise<Map<string, Uint8Array>> {
  return readChart(source, 0);
}

async function readChart(source: GitChartSource, depth: number): Promise<Map<string, Uint8Array>> {
  const { git, commit, directory } = source;
  if (depth > maxDependencyDepth) {
    throw invalid(directory, `charts depend on each other more than ${maxDependencyDepth} deep`);
  }
  const entries = await git.listTree(commit.hash, directory);
  if (entries.length === 0) {
    throw new WerfError("bundle/chart-missing", `commit ${commit.hash} has no chart in "${directory}"`, {
      hint: "commit the chart, or name its directory in werf.yaml: deploy.helmChartDir",
    });
  }
  const prefix = `${directory}/`;
  const ignore = await readHelmIgnore(source);
  const files = new Map<string, Uint8Array>();
  let left = maxChartBytes;
  for (const entry of entries) {
    const path = entry.path.slice(prefix.length);
    if (ignore(path)) continue;
    const bytes = await readEntry(source, entry);
    left -= bytes.length;
    if (left < 0) throw invalid(directory, `its files have more than ${maxChartBytes} bytes`);
    files.set(path, bytes);
  }
  await addDependencies(source, files, depth);
  return files;
}

async function readHelmIgnore({ git, commit, directory }: GitChartSource): Promise<HelmIgnore> {
  const bytes = await git.readFile(commit.hash, `${directory}/.helmignore`);
  return parseHelmIgnore(Buffer.from(bytes ?? []).toString("utf8"));
}

async function readEntry({ git, commit, directory }: GitChartSource, entry: TreeEntry): Promise<Uint8Array> {
  switch (entry.mode) {
    case "100644":
    case "100755":
      if (entry.size > maxChartBytes) {
        throw invalid(directory, `"${entry.path}" has ${entry.size} bytes`, "leave it out with .helmignore");
      }
      return buffer(await git.readBlob(entry.oid, entry.size));
    case "120000": {
      const target = await git.readFile(commit.hash, entry.path, maxChartBytes);
      if (target !== undefined) return target;
      throw invalid(
        directory,
        `the symlink "${entry.path}" leads to no file of the commit`,
        "put the file, or the files of the directory, in its place",
      );
    }
    case "160000":
      throw invalid(directory, `"${entry.path}" is a submodule`, "commit the files themselves");
  }
}

async function addDependencies(
  source: GitChartSource,
  files: Map<string, Uint8Array>,
  depth: number,
): Promise<void> {
  const chartYaml = new ChartYaml(files.get("Chart.yaml"), `${source.directory}/Chart.yaml`);
  for (const dependency of chartYaml.dependencies) {
    if (isVendored(dependency, files)) continue;
    if (!dependency.repository.startsWith("file://")) throw missing(source, dependency);
    const directory = posix.join(source.directory, dependency.repository.slice("file://".length));
    if (directory.startsWith("..") || dependency.repository.startsWith("file:///")) {
      throw invalid(source.directory, `the dependency "${dependency.name}" lies outside of the repository`);
    }
    for (const [path, bytes] of await readChart({ ...source, directory }, depth + 1)) {
      files.set(`charts/${dependency.name}/${path}`, bytes);
    }
  }
}

/** As `helm dependency build` leaves it, or as a directory. */
function isVendored(dependency: ChartDependency, files: ReadonlyMap<string, Uint8Array>): boolean {
  if (files.has(`charts/${dependency.name}/Chart.yaml`)) return true;
  const prefix = `charts/${dependency.name}-`;
  return [...files.keys()].some((path) => {
    return path.startsWith(prefix) && path.endsWith(".tgz") && /^v?[0-9]/.test(path.slice(prefix.length));
  });
}

function missing({ directory }: GitChartSource, { name, version, repository }: ChartDependency): WerfError {
  const from = repository === "" ? "" : ` from ${repository}`;
  return new WerfError(
    "bundle/dependency-missing",
    `the chart in "${directory}" depends on ${name} ${version}${from}, which is not in its charts/ directory`,
    { hint: `run \`helm dependency build ${directory}\` and commit ${directory}/charts` },
  );
}

function invalid(directory: string, what: string, hint?: string): WerfError {
  return new WerfError(
    "bundle/chart-invalid",
    `the chart in "${directory}" can't be published: ${what}`,
    hint === undefined ? {} : { hint },
  );
}
