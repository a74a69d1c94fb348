import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createExec } from "../../src/core/spawn.js";

type FileContent = string | Uint8Array | { readonly link: string } | { readonly executable: string };

/** A work tree with a history that is the same in every run: fixed author, dates and configuration. */
export interface TestWorkTree {
  readonly path: string;
  git(...args: string[]): Promise<string>;
  write(files: Readonly<Record<string, FileContent>>): Promise<void>;
  /** Writes, stages and commits everything; `at` is in seconds since 1970. Returns the hash. */
  commit(files: Readonly<Record<string, FileContent>>, at?: number): Promise<string>;
  dispose(): Promise<void>;
}

export async function testWorkTree(initArguments: readonly string[] = []): Promise<TestWorkTree> {
  const path = await mkdtemp(join(tmpdir(), "werf-ts-git-"));
  const environment = (at: number): Record<string, string | undefined> => ({
    PATH: process.env["PATH"],
    HOME: join(path, ".nowhere"),
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: "Ann",
    GIT_AUTHOR_EMAIL: "ann@example.org",
    GIT_COMMITTER_NAME: "Ann",
    GIT_COMMITTER_EMAIL: "ann@example.org",
    GIT_AUTHOR_DATE: `${at} +0000`,
    GIT_COMMITTER_DATE: `${at} +0000`,
  });
  const signal = new AbortController().signal;
  const gitAt = async (at: number, args: readonly string[]): Promise<string> => {
    const run = createExec({ env: environment(at), cwd: path, signal });
    // Housekeeping in the background would still write while the directory is removed.
    const result = await run("git", ["-c", "gc.auto=0", "-c", "maintenance.auto=false", ...args]);
    if (result.exitCode !== 0) throw new Error(`git ${args.join(" ")}: ${result.stderr}`);
    return Buffer.from(result.stdout).toString("utf8").trim();
  };
  const defaultTime = 1_700_000_000;
  const write = async (files: Readonly<Record<string, FileContent>>): Promise<void> => {
    for (const [name, content] of Object.entries(files)) {
      const file = join(path, name);
      await mkdir(dirname(file), { recursive: true });
      if (typeof content === "string" || content instanceof Uint8Array) await writeFile(file, content);
      else if ("link" in content) await symlink(content.link, file);
      else {
        await writeFile(file, content.executable);
        await chmod(file, 0o755);
      }
    }
  };
  await gitAt(defaultTime, ["init", "--quiet", "--initial-branch=main", ...initArguments]);
  return {
    path,
    git: (...args) => gitAt(defaultTime, args),
    write,
    async commit(files, at = defaultTime) {
      await write(files);
      await gitAt(at, ["add", "--all"]);
      await gitAt(at, ["commit", "--quiet", "--allow-empty", "--message", "change"]);
      return gitAt(at, ["rev-parse", "HEAD"]);
    },
    dispose: () => rm(path, { recursive: true, force: true }),
  };
}
