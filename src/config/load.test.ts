import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type TestRun, testRun } from "../../test/support/run-context.js";
import { isWerfError, type WerfError } from "../core/errors.js";
import { openGitRepository } from "../git/open.js";
import type { GitRepository } from "../git/repository.js";
import { type LoadedConfig, type LoadOptions, loadConfig, loadProjectConfig } from "./load.js";

const project = "project: app\nconfigVersion: 1\n";
const image = (name: string): string => `---\nimage: ${name}\ndockerfile: Dockerfile\n`;

let run: TestRun;
let repo: GitRepository | undefined;

beforeEach(async () => {
  run = await testRun();
  await git("init", "-q", "-b", "main");
});
afterEach(async () => {
  await repo?.close();
  repo = undefined;
  await run.dispose();
});

async function git(...args: string[]): Promise<void> {
  const identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
  const dates = {
    GIT_COMMITTER_DATE: "2024-05-06T09:08:09+0200",
    GIT_AUTHOR_DATE: "2024-05-06T09:08:09+0200",
  };
  const { exitCode, stderr } = await run.exec("git", [...identity, ...args], { env: dates });
  if (exitCode !== 0) throw new Error(stderr);
}

/** Writes files; `undefined` removes one. */
async function write(files: Readonly<Record<string, string | undefined>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = join(run.cwd, name);
    await mkdir(dirname(path), { recursive: true });
    if (text === undefined) await rm(path);
    else await writeFile(path, text);
  }
}

async function commit(files: Readonly<Record<string, string | undefined>>): Promise<void> {
  await write(files);
  await git("add", "-A", ".");
  await git("commit", "-q", "-m", "x", "--allow-empty");
}

async function load(
  options: Partial<LoadOptions> = {},
  env: Record<string, string> = {},
): Promise<LoadedConfig> {
  repo ??= await openGitRepository(run, run.cwd);
  const context = { ...run, env: { ...run.env, ...env } };
  const head = await repo.head();
  return loadProjectConfig(context, repo, {
    commit: head,
    projectDir: "",
    looseGiterminism: false,
    ...options,
  });
}

async function names(...args: Parameters<typeof load>): Promise<string[]> {
  return (await load(...args)).config.images.map(({ name }) => name);
}

async function failureOf(...args: Parameters<typeof load>): Promise<WerfError> {
  const error = await load(...args).catch((cause: unknown) => cause);
  if (!isWerfError(error)) throw error;
  return error;
}

describe("werf.yaml", () => {
  it("is read from the commit", async () => {
    await commit({ "werf.yaml": project + image("a"), "werf.yml": "no" });
    repo = await openGitRepository(run, run.cwd);
    const options = { commit: await repo.head(), projectDir: "", looseGiterminism: false };
    expect((await loadConfig(run, repo, options)).images.map(({ name }) => name)).toEqual(["a"]);
  });

  it("can be called werf.yml, lie in a directory, or be named", async () => {
    await commit({ "sub/werf.yml": project + image("a"), "other/x.yaml": project + image("b") });
    expect(await names({ projectDir: "sub" })).toEqual(["a"]);
    expect(await names({ projectDir: "sub", configPath: "other/x.yaml" })).toEqual(["b"]);
    expect(await names({ projectDir: "sub", configPath: join(run.cwd, "other/x.yaml") })).toEqual(["b"]);
  });

  it("gets its project's name from WERF_PROJECT_NAME", async () => {
    await commit({ "werf.yaml": project });
    expect((await load({}, { WERF_PROJECT_NAME: "other" })).config.project).toBe("other");
  });

  it("must be there", async () => {
    await commit({ README: "x" });
    const error = await failureOf({ projectDir: "sub" });
    expect(error.code).toBe("config/missing");
    expect(error.message).toMatch(
      /^there is no sub\/werf\.yaml or sub\/werf\.yml in the commit [0-9a-f]{12} of \//,
    );
    expect(error.hint).toContain("--dir");
    expect((await failureOf({ configPath: "nope.yaml" })).message).toMatch(
      /^there is no nope\.yaml in the commit/,
    );
    expect((await failureOf({ configPath: "../nope.yaml" })).code).toBe("config/outside");
  });

  it.each<[string, Record<string, string | undefined>]>([
    ["changed", { "werf.yaml": project + image("b") }],
    ["removed", { "werf.yaml": undefined }],
  ])("must not be %s since the commit", async (_, change) => {
    await commit({ "werf.yaml": project + image("a") });
    await write(change);
    const error = await failureOf();
    expect(error.code).toBe("config/uncommitted");
    expect(error.message).toMatch(/^werf\.yaml differs from the commit [0-9a-f]{12}, which is what counts$/);
    expect(error.hint).toContain("config.allowUncommitted: true in werf-giterminism.yaml");
  });

  it("must be committed", async () => {
    await commit({ README: "x" });
    await write({ "werf.yaml": project });
    expect((await failureOf()).code).toBe("config/uncommitted");
    await git("add", "werf.yaml");
    expect((await failureOf()).code).toBe("config/uncommitted");
  });

  it("is taken from the work tree when that is allowed", async () => {
    await commit({
      "werf.yaml": project + image("a"),
      "werf-giterminism.yaml": "giterminismConfigVersion: 1\nconfig: {allowUncommitted: true}\n",
    });
    await write({ "werf.yaml": project + image("b") });
    expect(await names()).toEqual(["b"]);
  });

  it("is taken from the work tree with --loose-giterminism, and that is told", async () => {
    await commit({ "werf.yaml": project + image("a") });
    await write({ "werf.yaml": `${project}${image("b")}args: {X: {{ env "NOPE" | quote }}}` });
    expect(await names({ looseGiterminism: true })).toEqual(["b"]);
    expect(run.events).toEqual([expect.objectContaining({ code: "note", level: "info" })]);
  });

  it("may have other line ends in the work tree", async () => {
    await commit({ "werf.yaml": project + image("a") });
    await git("config", "core.autocrlf", "true");
    await rm(join(run.cwd, "werf.yaml"));
    await git("checkout", "-q", "--", "werf.yaml");
    expect(await names()).toEqual(["a"]);
  });

  it("may be a link within the repository, whose target is watched", async () => {
    await write({ "real/config.yaml": project + image("a") });
    await symlink("real/config.yaml", join(run.cwd, "werf.yaml"));
    await commit({});
    expect(await names()).toEqual(["a"]);
    await write({ "real/config.yaml": project + image("b") });
    expect((await failureOf()).code).toBe("config/uncommitted");
  });

  it("may not be a link that leads out", async () => {
    await symlink("/etc/passwd", join(run.cwd, "werf.yaml"));
    await commit({});
    expect((await failureOf({ looseGiterminism: true })).code).toBe("config/missing");
    expect((await failureOf()).code).toBe("config/missing");
  });
});

describe("problems", () => {
  it("have the positions of the file, or of the rendered one", async () => {
    await commit({ "werf.yaml": `${project}---\nimagee: {{ .Env }}\n` });
    expect((await failureOf()).message).toBe('werf.yaml:4:1: unknown key "imagee"; did you mean "image"?');
    await commit({ "werf.yaml": `{{ "\\n" }}${project}---\nimagee: a\n` });
    expect((await failureOf()).message).toMatch(
      /^werf\.yaml is not valid \(positions are those of the rendered file.*\):\n {2}werf\.yaml:5:1: unknown key/,
    );
  });
});

describe("templates", () => {
  it("know the environment and the commit", async () => {
    await commit({
      "werf.yaml": `${project}---
image: a-{{ .Env }}
dockerfile: D
args: {HASH: {{ .Commit.Hash }}, UNIX: "{{ .Commit.Date.Unix }}", HUMAN: {{ .Commit.Date.Human | quote }}}
`,
    });
    const { config, rendered } = await load({ env: "dev" });
    const head = await repo?.head();
    expect(config.images[0]).toMatchObject({
      name: "a-dev",
      args: { HASH: head?.hash, UNIX: "1714979289", HUMAN: "2024-05-06 07:08:09 +0000 UTC" },
    });
    expect(rendered).toContain("image: a-dev\n");
  });

  it("come from .werf of the commit", async () => {
    await commit({
      "werf.yaml": `${project}{{ include "image" "x" }}{{ include "sub/more.tmpl" . }}`,
      ".werf/image.tmpl": '{{ define "image" }}\n---\nimage: {{ . }}\ndockerfile: D\n{{ end }}',
      ".werf/sub/more.tmpl": '{{ template "image" "y" }}',
      ".werf/readme.md": "{{ no template",
      "tpl/image.tmpl": '{{ define "image" }}{{ end }}',
      "tpl/sub/more.tmpl": "",
    });
    expect(await names()).toEqual(["x", "y"]);
    expect(await names({ templatesDir: "tpl" })).toEqual([]);
  });

  it("must be committed unless that is allowed", async () => {
    await commit({ "werf.yaml": `${project}{{ include "a.tmpl" . }}`, ".werf/a.tmpl": image("a") });
    await write({ ".werf/a.tmpl": `\n${image("b")}`, ".werf/new.tmpl": "" });
    const error = await failureOf();
    expect(error.message).toMatch(/^\.werf\/a\.tmpl, \.werf\/new\.tmpl differ from the commit/);
    expect(error.hint).toContain("config.allowUncommittedTemplates");
    expect(await names({ looseGiterminism: true })).toEqual(["b"]);
    const allow = 'giterminismConfigVersion: "1"\nconfig: {allowUncommittedTemplates: [.werf/**]}\n';
    await write({ "werf-giterminism.yaml": allow });
    await git("add", "werf-giterminism.yaml");
    await git("commit", "-q", "-m", "allow");
    expect(await names()).toEqual(["b"]);
  });

  it("read files of the commit, as many and as deep as they like", async () => {
    await commit({
      "werf.yaml": `${project}
{{- $config := .Files.Get "config.yaml" | fromYaml }}
{{- range $name := $config.images }}
---
image: {{ $name }}
dockerfile: D
args: {TEXT: {{ $.Files.Get (printf "images/%s.txt" $name) | trim | quote }}}
{{- end }}
{{- range $path, $text := .Files.Glob "**/werf.inc.yaml" }}
{{ tpl $text (dict "path" (dir $path)) }}
{{- end }}
---
image: exists-{{ .Files.Exists "config.yaml" }}-{{ .Files.Exists "nope" }}-{{ .Files.Exists "images" }}-{{ .Files.IsDir "images" }}-{{ .Files.IsDir "config.yaml" }}
dockerfile: D
`,
      "config.yaml": "images: [one, two]",
      "images/one.txt": "1\n",
      "images/two.txt": "2\n",
      "x/werf.inc.yaml": "---\nimage: inc/{{ .path }}\ndockerfile: D\n",
      "y/z/werf.inc.yaml": "---\nimage: inc/{{ .path }}\ndockerfile: D\n",
    });
    const { config } = await load();
    expect(config.images.map(({ name }) => name)).toEqual([
      "one",
      "two",
      "inc/x",
      "inc/y/z",
      "exists-true-false-true-true-false",
    ]);
    expect(config.images.map((spec) => spec.kind === "dockerfile" && spec.args["TEXT"])).toEqual([
      "1",
      "2",
      undefined,
      undefined,
      undefined,
    ]);
  });

  it.each([
    [
      '{{ .Files.Get "nope" }}',
      "template/failed",
      /^werf\.yaml:3:4: Files\.Get: the file nope is not there$/,
    ],
    ['{{ .Files.Get "../../etc/passwd" }}', "config/outside", /is not in the git work tree/],
    ['{{ .Files.Get "changed" }}', "config/uncommitted", /^changed differs/],
    ['{{ .Files.Glob "c*" }}', "config/uncommitted", /^changed differs/],
    ['{{ .Files.Exists "changed" }}', "config/uncommitted", /^changed differs/],
  ])("%s is refused", async (text, code, message) => {
    await commit({ "werf.yaml": `${project}${text}`, changed: "1" });
    await write({ changed: "2" });
    const error = await failureOf();
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it("may read uncommitted files that are allowed", async () => {
    await commit({
      "werf.yaml": `${project}{{ .Files.Get "a/new.yaml" }}{{ range .Files.Glob "a/*" }}#{{ end }}`,
      "werf-giterminism.yaml":
        "giterminismConfigVersion: 1\nconfig: {goTemplateRendering: {allowUncommittedFiles: [a/*]}}",
    });
    await write({ "a/new.yaml": image("new") });
    expect(await names()).toEqual(["new"]);
  });
});

describe("the function env", () => {
  const rules =
    "giterminismConfigVersion: 1\nconfig: {goTemplateRendering: {allowEnvVariables: [TAG, /CI_.+/]}}\n";
  const withEnv = async (call: string, env: Record<string, string>): Promise<string> => {
    await commit({ "werf.yaml": `${project}# ${call}`, "werf-giterminism.yaml": rules });
    return (await load({}, env)).rendered.split("# ")[1] ?? "";
  };

  it.each<[string, Record<string, string>, string]>([
    ['{{ env "TAG" }}', { TAG: "v1" }, "v1"],
    ['{{ env "CI_X" }}', { CI_X: "x" }, "x"],
    ['{{ env "TAG" "none" }}', {}, "none"],
    ['{{ env "TAG" "none" }}', { TAG: "" }, "none"],
    ['{{ env "TAG" }}', { TAG: "" }, ""],
  ])("%s with %j", async (call, env, expected) => {
    expect(await withEnv(call, env)).toBe(expected);
  });

  it("wants a value or a default", async () => {
    const error = await withEnv('{{ env "TAG" }}', {}).catch((cause: unknown) => cause);
    expect(error).toMatchObject({
      code: "template/failed",
      message: expect.stringMatching(
        /^werf\.yaml:3:6: env: the environment variable TAG is not set/,
      ) as string,
    });
  });

  it.each(["CI_", "XTAG", "HOME"])("doesn't read %s, which is not allowed", async (name) => {
    const error = await withEnv(`{{ env "${name}" "default" }}`, { [name]: "secret" }).catch(
      (cause: unknown) => cause,
    );
    expect(error).toMatchObject({
      code: "config/env",
      message: `werf.yaml reads the environment variable ${name}, which is not allowed`,
      hint: expect.stringContaining(`allowEnvVariables: [${name}]`) as string,
    });
  });
});

describe("werf-giterminism.yaml", () => {
  it("must be committed itself", async () => {
    await commit({ "werf.yaml": project });
    await write({ "werf-giterminism.yaml": "giterminismConfigVersion: 1\n" });
    const error = await failureOf();
    expect(error).toMatchObject({ code: "config/uncommitted", hint: "commit werf-giterminism.yaml" });
  });

  it("can have another name, and must then be there", async () => {
    const text = "giterminismConfigVersion: 1\ncli: {allowCustomTags: true}\n";
    await commit({ "werf.yaml": project, "rules/g.yaml": text });
    expect((await load()).giterminism.allowsCustomTags).toBe(false);
    expect((await load({ giterminismConfigPath: "rules/g.yaml" })).giterminism.allowsCustomTags).toBe(true);
    expect((await failureOf({ giterminismConfigPath: "nope.yaml" })).code).toBe("config/missing");
  });
});
