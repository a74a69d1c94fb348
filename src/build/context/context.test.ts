import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type TestWorkTree, testWorkTree } from "../../../test/support/git-work-tree.js";
import { planOf } from "../../../test/support/native-build.js";
import { type TestRun, testRun } from "../../../test/support/run-context.js";
import { openGitRepository } from "../../git/open.js";
import type { GitRepository } from "../../git/repository.js";
import { type ContextOptions, type OpenedContext, openContext } from "./open.js";
import { matchSources } from "./sources.js";
import { uncommittedOf } from "./uncommitted.js";

const at = { file: "Dockerfile", line: 7 };

let run: TestRun;
let tree: TestWorkTree;
let repo: GitRepository | undefined;

async function context(
  files: Parameters<TestWorkTree["commit"]>[0],
  options: Partial<ContextOptions> = {},
): Promise<OpenedContext> {
  const commit = await tree.commit(files);
  repo = await openGitRepository(run, tree.path);
  return openContext(repo, { commit, projectDir: "", context: "", dockerfile: "Dockerfile", ...options });
}

async function contentOf(opened: OpenedContext, path: string): Promise<string> {
  const entry = opened.files.find((file) => file.path === path);
  const chunks: Buffer[] = [];
  for await (const chunk of await opened.open(entry!)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

const paths = (opened: OpenedContext): string[] => opened.files.map((file) => file.path);

/** `path(kind)`: relative names, for each match. */
async function match(opened: OpenedContext, ...sources: string[]): Promise<Record<string, string[]>> {
  const matched = await matchSources(opened, sources, at);
  return Object.fromEntries(matched.map((m) => [`${m.path} ${m.kind}`, m.files.map((f) => f.relative)]));
}

beforeEach(async () => {
  run = await testRun();
  tree = await testWorkTree();
});
afterEach(async () => {
  await repo?.close();
  repo = undefined;
  await tree.dispose();
  await run.dispose();
});

describe("the build context", () => {
  it("is the commit's files below the context of a project in a directory of its own", async () => {
    const opened = await context(
      { "other/x": "", "app/back/Dockerfile": "", "app/back/src/a": "committed", "app/back-end/no": "" },
      { projectDir: "app", context: "back" },
    );
    await tree.write({ "app/back/src/a": "edited", "app/back/src/new": "" });
    expect(paths(opened)).toEqual(["Dockerfile", "src/a"]);
    expect(await contentOf(opened, "src/a")).toBe("committed");
    expect(opened).toMatchObject({ directory: "app/back", dockerfile: "app/back/Dockerfile" });
  });

  it("may have its Dockerfile beside it, but not outside of the project", async () => {
    const files = { "app/docker/Dockerfile": "", "app/src/a": "" };
    const beside = await context(files, {
      projectDir: "app",
      context: "src",
      dockerfile: "../docker/Dockerfile",
    });
    expect(beside.dockerfile).toBe("app/docker/Dockerfile");
    for (const wrong of [{ dockerfile: "../../Dockerfile" }, { context: ".." }, { context: "/etc" }]) {
      await expect(context({}, { projectDir: "app", context: "src", ...wrong })).rejects.toMatchObject({
        code: "build/context-outside",
      });
    }
    await expect(context({}, { context: "no/such" })).rejects.toMatchObject({
      code: "build/context-missing",
    });
  });

  it("obeys the first ignore file that there is", async () => {
    const files = {
      "Dockerfile.dockerignore": "a\n",
      ".containerignore": "b\n",
      ".dockerignore": "c\n",
      a: "",
      b: "",
      c: "",
    };
    const opened = await context(files);
    expect(opened.ignoreFile).toBe("Dockerfile.dockerignore");
    expect(paths(opened)).not.toContain("a");
    expect(paths(opened)).toEqual(expect.arrayContaining(["b", "c"]));
    const other = await context({}, { dockerfile: "sub/other.Dockerfile" });
    expect(other.ignoreFile).toBe(".dockerignore");
    expect(paths(other)).not.toContain("c");
  });

  it.each([
    ["*.log", ["keep", "logs/x.log"], ["x.log"]],
    ["**/*.log", ["keep"], ["x.log", "logs/x.log", "a/b/c.log"]],
    ["dir\n!dir/keep", ["dir/keep"], ["dir/a", "dir/b/c"]],
    ["*\n!src/**", ["src/a", "src/b/c"], ["other", "x/src"]],
    ["# comment\n\n  spaced  \n/rooted", ["# comment", "x/rooted"], ["spaced", "rooted"]],
    ["a?c\nx[0-9]", ["ac", "xy"], ["abc", "x5"]],
    ["Upper", ["upper"], ["Upper"]],
    ["c++ (1){2}|", ["c+ (1){2}", "cc"], ["c++ (1){2}|"]],
    ["dir/\r\nother/**/end", ["other/x"], ["dir/a", "other/a/b/end"]],
    ["\uFEFFbom", ["x"], ["bom"]],
  ])("hides what the rules %j hide", async (rules, kept, hidden) => {
    const files = Object.fromEntries([...kept, ...hidden].map((path) => [path, "x"]));
    const opened = await context({ ...files, ".dockerignore": rules });
    expect(paths(opened)).toEqual(expect.arrayContaining(kept));
    expect([...(opened.ignored?.paths ?? [])]).toEqual(expect.arrayContaining(hidden));
  });

  it("says which ignore file has a broken pattern", async () => {
    await expect(context({ ".dockerignore": "[z-a]\n" })).rejects.toMatchObject({
      code: "build/dockerignore-invalid",
      message: expect.stringContaining(".dockerignore") as string,
    });
  });
});

describe("sources of COPY", () => {
  const files = {
    "package.json": "{}",
    "package-lock.json": "{}",
    "src/main.ts": "m",
    "src/lib/a.ts": "a",
    "src/lib/b.tsx": "b",
    "docs/[id].md": "i",
    "docs/i.md": "i",
    Makefile: "x",
  };

  it("are files, directories by their content, and the context itself", async () => {
    const opened = await context(files);
    expect(await match(opened, "package.json", "/src/", "./src/lib")).toEqual({
      "package.json file": ["package.json"],
      "src directory": ["lib/a.ts", "lib/b.tsx", "main.ts"],
      "src/lib directory": ["a.ts", "b.tsx"],
    });
    for (const whole of [".", "/", "./", "src/.."]) {
      expect(Object.values(await match(opened, whole))[0]).toEqual(paths(opened));
    }
  });

  it("are patterns that stay inside one directory level, ** too", async () => {
    const opened = await context(files);
    expect(await match(opened, "package*.json")).toEqual({
      "package-lock.json file": ["package-lock.json"],
      "package.json file": ["package.json"],
    });
    expect(Object.keys(await match(opened, "src/*/?.ts"))).toEqual(["src/lib/a.ts file"]);
    expect(Object.keys(await match(opened, "src/**"))).toEqual(["src/lib directory", "src/main.ts file"]);
    expect(Object.keys(await match(opened, "[a-p]*"))).toEqual([
      "docs directory",
      "package-lock.json file",
      "package.json file",
    ]);
    expect(Object.keys(await match(opened, "[^a-z]*"))).toEqual(["Makefile file"]);
    expect(Object.keys(await match(opened, "docs/[id].md"))).toEqual(["docs/i.md file"]);
    expect(Object.keys(await match(opened, "docs/\\[id\\].md"))).toEqual(["docs/[id].md file"]);
    expect(Object.keys(await match(opened, "docs/[[]id].md"))).toEqual(["docs/[id].md file"]);
  });

  it("may be a pattern without a match beside a source with one", async () => {
    const opened = await context(files);
    expect(Object.keys(await match(opened, "package.json", "yarn.lock*"))).toEqual(["package.json file"]);
    await expect(match(opened, "yarn.lock*")).rejects.toMatchObject({ code: "build/copy-source-missing" });
    await expect(match(opened, "nowhere/*", "src")).resolves.toHaveProperty("src directory");
  });

  it.each(["[", "[]", "[a", "[-a]", "a/[a-]", "[^]", "x\\"])(
    "can't be the broken pattern %j",
    async (pattern) => {
      const opened = await context(files);
      await expect(match(opened, pattern, "a*")).rejects.toMatchObject({
        code: pattern === "x\\" ? "build/copy-source-missing" : "build/copy-pattern-invalid",
      });
    },
  );

  it("don't leave the context", async () => {
    const opened = await context(files);
    for (const source of ["..", "../x", "src/../../x", "/../x"]) {
      await expect(match(opened, source)).rejects.toMatchObject({
        code: "build/copy-outside-context",
        message: expect.stringContaining("Dockerfile:7") as string,
      });
    }
  });

  it("name what a person may have meant", async () => {
    const opened = await context({ ...files, ".dockerignore": "secret\n", "secret/key": "" });
    const hint = async (source: string): Promise<unknown> =>
      match(opened, source).then(
        () => "found",
        (error: { hint: string }) => error.hint,
      );
    expect(await hint("pakage.json")).toContain('"package.json"');
    expect(await hint("main.ts")).toContain('"src/main.ts"');
    expect(await hint("PACKAGE.JSON")).toContain('"package.json"');
    expect(await hint("secret/key")).toContain('.dockerignore hides secret/key: add "!secret/key"');
    expect(await hint("secret")).toContain(".dockerignore hides secret/key");
    expect(await hint("completely-else")).toContain("committed");
    await expect(match(opened, "package.json/")).resolves.toHaveProperty("package.json file");
    expect(await hint("package.json/x")).toContain("committed");
  });

  it("follow links that lead to them, inside the context, and keep links below a directory", async () => {
    const opened = await context({
      "real/a": "content",
      "real/inner": { link: "a" },
      dir: { link: "real" },
      file: { link: "./dir/a" },
      clamped: { link: "../../real/a" },
      absolute: { link: "/real/a" },
      loop: { link: "loop" },
      lost: { link: "/etc/passwd" },
    });
    const [matched] = await matchSources(opened, ["dir"], at);
    expect(matched).toMatchObject({ path: "dir", kind: "directory" });
    expect(matched!.files.map((f) => [f.relative, f.entry.mode])).toEqual([
      ["a", "100644"],
      ["inner", "120000"],
    ]);
    for (const source of ["file", "clamped", "absolute", "dir/a", "fil?", "dir/inner"]) {
      const [only] = await matchSources(opened, [source], at);
      expect([only!.kind, only!.files[0]!.entry.path, only!.files[0]!.relative], source).toEqual([
        "file",
        "real/a",
        source === "fil?" ? "file" : source.split("/").at(-1),
      ]);
    }
    for (const source of ["loop", "lost", "lost*"]) {
      await expect(match(opened, source)).rejects.toMatchObject({ code: "build/copy-source-missing" });
    }
  });

  it("can't include a submodule", async () => {
    await tree.commit({ "vendor/own": "", a: "" });
    await tree.git("update-index", "--add", "--cacheinfo", `160000,${"12".repeat(20)},vendor/lib`);
    await tree.git("commit", "--quiet", "-m", "submodule");
    repo = await openGitRepository(run, tree.path);
    const { hash } = await repo.head();
    const opened = await openContext(repo, {
      commit: hash,
      projectDir: "",
      context: "",
      dockerfile: "Dockerfile",
    });
    await expect(match(opened, ".")).rejects.toMatchObject({
      code: "build/submodule",
      message: expect.stringContaining("vendor/lib") as string,
    });
    expect(await match(opened, "vendor/own", "a")).toHaveProperty("a file");
  });
});

describe("uncommitted files", () => {
  it("are named when they would be in the image", async () => {
    const opened = await context(
      { "app/Dockerfile": "", "app/.dockerignore": "*.md\n", "app/src/a": "", "app/test/t": "", "lib/x": "" },
      { context: "app" },
    );
    await tree.write({
      "app/Dockerfile": "changed",
      "app/Dockerfile.dockerignore": "new",
      "app/src/new": "",
      "app/src/b.txt": "",
      "app/README.md": "",
      "app/test/new": "",
      "lib/x": "changed",
    });
    const changed = async (sources: readonly string[]): Promise<readonly string[]> =>
      uncommittedOf(
        await repo!.uncommittedPaths(),
        opened,
        planOf(["FROM scratch", `COPY ${sources.join(" ")} /to/`]),
      );
    expect(await changed(["src", "*.md"])).toEqual([
      "app/Dockerfile",
      "app/Dockerfile.dockerignore",
      "app/src/b.txt",
      "app/src/new",
    ]);
    expect(await changed(["."])).toContain("app/test/new");
    expect(await changed(["src/*.txt"])).toEqual([
      "app/Dockerfile",
      "app/Dockerfile.dockerignore",
      "app/src/b.txt",
    ]);
  });
});
