import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A git project of a test, with a bare `origin` beside it and a home of its own. */
export interface TestProject {
  readonly directory: string;
  readonly home: string;
  /** The directory that holds all of it. */
  readonly base: string;
  write(path: string, content: string | Uint8Array): void;
  git(...args: string[]): string;
  /** Commits everything, `ageHours` ago (default: one hour), each commit a minute after the one before. */
  commit(message: string, ageHours?: number): string;
  push(...refs: string[]): void;
  dispose(): void;
}

export function testProject(files: Readonly<Record<string, string | Uint8Array>>): TestProject {
  const base = mkdtempSync(join(tmpdir(), "werf-ts-project-"));
  const directory = join(base, "project");
  const home = join(base, "home");
  for (const made of [directory, home]) mkdirSync(made);
  let commits = 0;
  const git = (args: readonly string[], env: Record<string, string> = {}): string => {
    const result = spawnSync("git", args, {
      cwd: directory,
      env: { PATH: process.env["PATH"], HOME: home, GIT_CONFIG_NOSYSTEM: "1", ...env },
      encoding: "utf8",
    });
    if (result.status !== 0) throw new Error(`git ${args.join(" ")}: ${result.stderr}`);
    return result.stdout.trim();
  };
  const project: TestProject = {
    directory,
    home,
    base,
    write(path, content) {
      const file = join(directory, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
    },
    git: (...args) => git(args),
    commit(message, ageHours = 1) {
      git(["add", "-A"]);
      const date = new Date(Date.now() - ageHours * 3_600_000 + commits++ * 60_000).toISOString();
      git(["commit", "-q", "--allow-empty", "-m", message], {
        GIT_AUTHOR_DATE: date,
        GIT_COMMITTER_DATE: date,
      });
      return git(["rev-parse", "HEAD"]);
    },
    push: (...refs) => void git(["push", "-q", "--force", "origin", ...refs]),
    dispose: () => rmSync(base, { recursive: true, force: true }),
  };
  git(["init", "-q", "--bare", join(base, "origin.git")]);
  git(["init", "-q", "-b", "main"]);
  git(["config", "user.name", "Test"]);
  git(["config", "user.email", "test@example.invalid"]);
  git(["remote", "add", "origin", join(base, "origin.git")]);
  for (const [path, content] of Object.entries(files)) project.write(path, content);
  return project;
}

/** Two images, one based on the other, and a chart; nothing needs an engine that executes. */
export const shopFiles: Readonly<Record<string, string>> = {
  "werf.yaml": `project: shop
configVersion: 1
---
image: base
dockerfile: base.Dockerfile
final: false
---
image: backend
dockerfile: Dockerfile
context: backend
dependencies:
  - from: base
    imports:
      - type: ImageName
        targetBuildArg: BASE
`,
  "base.Dockerfile": "FROM scratch\nCOPY etc /etc\n",
  "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
  "backend/Dockerfile": 'ARG BASE\nFROM $BASE\nWORKDIR /srv\nCOPY app.txt .\nCMD ["cat", "/srv/app.txt"]\n',
  "backend/app.txt": "version 1\n",
  ".helm/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 0.1.0\n",
  ".helm/values.yaml": "replicas: 1\n",
  ".helm/templates/pod.yaml":
    "apiVersion: v1\nkind: Pod\nmetadata:\n  name: backend\nspec:\n  containers:\n    - name: backend\n      image: {{ .Values.werf.image.backend }}\n",
};
