import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { makeCiEnvironment } from "../../src/actions/ci-env.js";
import { type CliResult, werf } from "../support/cli.js";
import { sendError, sendJson, serveHttp } from "../support/http-server.js";
import { shopFiles, type TestProject, testProject } from "../support/project.js";
import { testRun } from "../support/run-context.js";
import { type ShellMachine, shellMachine } from "../support/shell.js";

let machine: ShellMachine;
beforeEach(() => {
  machine = shellMachine();
});
afterEach(() => machine.dispose());

type Environment = Readonly<Record<string, string>>;

describe("GitHub", () => {
  let project: TestProject;
  beforeAll(() => {
    project = testProject(shopFiles);
    project.commit("The shop");
  });
  afterAll(() => project.dispose());

  const githubJob: Environment = {
    GITHUB_REPOSITORY: "Acme/Shop",
    GITHUB_ACTOR: "somebody",
    GITHUB_SHA: "3f1c",
  };
  const call = (cwd: string, env: Environment, ...argv: string[]): Promise<CliResult> =>
    werf(["ci-env", "github", "--tmp-dir", machine.temporary, ...argv], { cwd, home: machine.home, env });

  it("has a repository with the name of werf.yaml's project", async () => {
    const { stdout, stderr } = await call(project.directory, { ...githubJob, GITHUB_TOKEN: "" });
    expect(stderr).toBe("");
    expect(stdout).toContain('export WERF_REPO="ghcr.io/acme/shop/shop"\n');
    expect(stdout).toContain('\n# CLEANUP\n# export WERF_REPO_GITHUB_TOKEN=""\n\n# OTHER\n');
  });

  it("wants a work tree only where it must look into it", async () => {
    expect((await call(machine.home, githubJob)).stderr).toContain("is not in a git work tree");
    const chosen = await call(machine.home, { ...githubJob, WERF_REPO: "registry.example/app" });
    expect(chosen.stdout).toContain('# skip export WERF_REPO="registry.example/app" (current)\n');
  });

  it("does without werf.yaml", async () => {
    const empty = testProject({ "README.md": "nothing" });
    empty.commit("Nothing");
    const { exitCode, stdout } = await call(empty.directory, githubJob);
    empty.dispose();
    expect(exitCode).toBe(0);
    expect(stdout).toContain('# export WERF_REPO=""\n');
  });

  it("logs in to ghcr.io by its token server, and hands the token to the cleanup as it is", async () => {
    const asked: (string | undefined)[] = [];
    const server = await serveHttp((request, response) => {
      asked.push(`${request.url} ${request.headers.authorization}`);
      if (request.url?.startsWith("/token") === true) return sendJson(response, { token: "issued-token" });
      if (request.headers.authorization === "Bearer issued-token") return sendJson(response, {});
      response.setHeader("www-authenticate", 'Bearer realm="https://ghcr.io/token",service="ghcr.io"');
      sendError(response, 401, "UNAUTHORIZED");
    });
    const run = await testRun({
      env: { ...githubJob, WERF_REPO: "x.example/app", GITHUB_TOKEN: "tok-123456" },
    });
    // The real client, with this server in the place of ghcr.io.
    const http: typeof run.http = {
      ...run.http,
      async request(asking) {
        const url = new URL(asking.url);
        expect(url.host).toBe("ghcr.io");
        const response = await run.http.request({
          ...asking,
          url: `${server.url}${url.pathname}${url.search}`,
        });
        return Object.assign(Object.create(response) as typeof response, { url: url.href });
      },
    };
    const settings = {
      system: "github",
      configTemplatesDir: ".werf",
      looseGiterminism: false,
      asFile: false,
      asEnvFile: false,
      loginToRegistry: true,
      useDockerAuthConfig: false,
      insecureRegistry: false,
      logVerbose: false,
      temporary: machine.temporary,
    };
    const result = await makeCiEnvironment({ ...run, http }, settings);
    await run.dispose();
    server.close();
    const basic = Buffer.from("somebody:tok-123456").toString("base64");
    expect(asked[1]).toContain(`Basic ${basic}`);
    expect(result).toMatchObject({ kind: "script", text: expect.stringContaining('"tok-123456"\n') });
    const [directory = ""] = readdirSync(machine.temporary);
    const config: unknown = JSON.parse(
      readFileSync(join(machine.temporary, directory, "config.json"), "utf8"),
    );
    expect(config).toEqual({ auths: { "ghcr.io": { auth: basic } } });
  });
});
