import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { posix } from "../../src/ci-env/syntax/posix.js";
import { powershell } from "../../src/ci-env/syntax/powershell.js";
import { createTestAuthority } from "../support/certificates.js";
import { type CliResult, werf } from "../support/cli.js";
import { sendError, sendJson, serveHttp, type TestServer } from "../support/http-server.js";
import { requirePeer } from "../support/registries.js";
import { type ShellMachine, shellMachine } from "../support/shell.js";

let machine: ShellMachine;
let home: string;
let temporary: string;
beforeEach(() => {
  machine = shellMachine();
  ({ home, temporary } = machine);
});
afterEach(() => machine.dispose());

type Environment = Readonly<Record<string, string>>;

const showEnvironment = `"${process.execPath}" -e 'process.stdout.write(JSON.stringify(process.env))'`;
const nasty = `a "b" 'c' $HOME \`id\` $(id) %PATH% !! \\n \\ ü 🚢 #x\nsecond line;&|<>`;
const job: Environment = {
  CI_REGISTRY_IMAGE: "registry.example/group/shop",
  CI_REGISTRY: "registry.example",
  CI_ENVIRONMENT_SLUG: "staging",
  CI_COMMIT_SHA: "3f1c",
  CI_COMMIT_TAG: nasty,
};

describe.each(["bash", "sh"])("in %s", (name) => {
  it.each([
    ["evaluated", 'eval "$(werf ci-env gitlab)"'],
    ["as a file", '. "$(werf ci-env gitlab --as-file)"'],
    ["as a file that is named", `werf ci-env gitlab --as-file -o "$HOME/job.sh" && . "$HOME/job.sh"`],
  ])("the script, %s, sets exactly what it says", async (_, line) => {
    const { exitCode, stdout, stderr } = await machine.run(name, `${line} && ${showEnvironment}`, job);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const told = JSON.parse(stdout) as Record<string, string>;
    const added = Object.fromEntries(
      Object.entries(told).filter(([key]) => !(key in job) && /^(WERF|DOCKER)_/.test(key)),
    );
    const { DOCKER_CONFIG: directory } = added;
    expect(directory).toMatch(/\/werf-[\d.]+-docker-config-\w+$/);
    expect(statSync(directory ?? "").mode & 0o777).toBe(0o700);
    expect(added).toEqual({
      DOCKER_CONFIG: directory,
      WERF_DOCKER_CONFIG: directory,
      WERF_REPO: "registry.example/group/shop",
      WERF_REPO_CONTAINER_REGISTRY: "gitlab",
      WERF_ENV: "staging",
      WERF_ADD_ANNOTATION_CI_COMMIT: "ci.werf.io/commit=3f1c",
      WERF_ADD_ANNOTATION_CI_GIT_TAG: `ci.werf.io/tag=${nasty}`,
      WERF_LOG_COLOR_MODE: "on",
      WERF_LOG_PROJECT_DIR: "1",
      WERF_ENABLE_PROCESS_EXTERMINATOR: "1",
      WERF_LOG_TERMINAL_WIDTH: "130",
    });
  });

  it("any value comes through", async () => {
    const value = fc
      .oneof(
        fc.string({ unit: "binary", maxLength: 40 }),
        fc.string({ unit: fc.constantFrom(..."\"'`$\\\n\r\t %!#;&|<>(){}[]*?~^= ü"), maxLength: 40 }),
      )
      // No environment can hold these.
      .filter((text) => !/\0|\p{Cs}/u.test(text));
    await fc.assert(
      fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 30 }), async (values) => {
        const script = values.map((text, i) => posix.assign(`V${i}`, text)).join("\n");
        const { stdout, stderr } = await machine.run(name, `${script}\n${showEnvironment}`);
        expect(stderr).toBe("");
        const told = JSON.parse(stdout) as Record<string, string>;
        expect(values.map((_, i) => told[`V${i}`])).toEqual(values);
      }),
      { numRuns: 15 },
    );
  });

  it.each([
    "ci-env gitlab --no-such-flag",
    "ci-env",
    "ci-env jenkins",
    "ci-env gitlab --shell fish",
    "ci-env gitlab --use-docker-auth-config",
  ])("a failed werf %s ends the job that evaluates it", async (call) => {
    const result = await machine.run(name, `eval "$(werf ${call})"; echo went on`);
    expect(result).toMatchObject({ exitCode: 1, stdout: "" });
    expect(result.stderr).toMatch(/^Error: /);
    expect(readdirSync(temporary)).toEqual([]);
  });
});

const pwsh = (process.env["PATH"] ?? "").split(delimiter).some((place) => existsSync(join(place, "pwsh")));

it.skipIf(!pwsh)("in PowerShell any value comes through (needs pwsh)", async () => {
  const values = [nasty, "“typographic” ‘quotes’ „low‟", "`n $(1+1) @{}", '"'];
  const show = `& '${process.execPath}' -e 'process.stdout.write(JSON.stringify(process.env))'`;
  const file = join(home, "job.ps1");
  writeFileSync(file, [...values.map((text, i) => powershell.assign(`V${i}`, text)), show].join("\n"));
  const { stdout } = await machine.run("sh", `pwsh -NoProfile -File "${file}"`);
  const told = JSON.parse(stdout) as Record<string, string>;
  expect(values.map((_, i) => told[`V${i}`])).toEqual(values);
});

describe("files", () => {
  const call = (argv: readonly string[], env: Environment = {}): Promise<CliResult> =>
    werf(["ci-env", "gitlab", "--tmp-dir", temporary, ...argv], { cwd: home, home, env });
  const mode = (path: string): number => statSync(path).mode & 0o777;

  it("of variables have values as they are", async () => {
    const tag = `a "b" 'c' $d %e`;
    const { stdout } = await call(["--as-env-file"], { ...job, CI_COMMIT_TAG: tag });
    const path = stdout.trimEnd();
    expect(path).toMatch(/\/\.env_\d+_[0-9a-f]+$/);
    expect(mode(path)).toBe(0o600);
    const lines = readFileSync(path, "utf8").split("\n");
    expect(lines).toContain(`WERF_ADD_ANNOTATION_CI_GIT_TAG=ci.werf.io/tag=${tag}`);
    expect(lines).toContain("# WERF_ADD_ANNOTATION_GITLAB_CI_JOB_URL=");
  });

  it("of variables are refused for a value with lines, and nothing is left behind", async () => {
    const result = await call(["--as-env-file"], job);
    expect(result).toMatchObject({ exitCode: 1, stdout: "" });
    expect(result.stderr).toContain("WERF_ADD_ANNOTATION_CI_GIT_TAG: an env file can't hold");
    expect(readdirSync(temporary)).toEqual([]);
  });

  it.each([
    ["cmdexe", /\/source_\d+_[0-9a-f]+\.bat$/, '@set "WERF_ENV=staging"\r\n'],
    ["powershell", /\/source_\d+_[0-9a-f]+\.ps1$/, '$Env:WERF_ENV = "staging"\n'],
  ])("for %s have its form and its extension", async (name, path, line) => {
    const { stdout } = await call(["--as-file", "--shell", name], job);
    expect(stdout.trimEnd()).toMatch(path);
    expect(readFileSync(stdout.trimEnd(), "utf8")).toContain(line);
  });

  it("that the user names are written whole, for the user alone, and no path is printed", async () => {
    const file = join(home, "job.sh");
    writeFileSync(file, "x".repeat(10_000), { mode: 0o644 });
    expect(await call(["--as-file", "-o", "job.sh"], job)).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    expect(readFileSync(file, "utf8")).toMatch(/^# DOCKER CONFIG\n[^x]/);
    expect(readFileSync(file, "utf8")).not.toContain("xxx");
    expect(mode(file)).toBe(0o600);
    expect(await call(["-o", "job.sh"], job)).toMatchObject({ exitCode: 2, stdout: "exit 1\n" });
  });

  it("of werf's own go when they have expired", async () => {
    const first = (await call(["--as-file"], job)).stdout.trimEnd();
    const later = { now: () => new Date(Date.now() + 7 * 3_600_000), sleep: () => Promise.resolve() };
    const argv = ["ci-env", "gitlab", "--tmp-dir", temporary, "--as-file"];
    const second = (await werf(argv, { cwd: home, home, env: job, clock: later })).stdout.trimEnd();
    expect(readdirSync(join(first, ".."))).toEqual([second.split("/").at(-1)]);
    expect(readdirSync(temporary)).toHaveLength(1);
  });
});

describe("the login to GitLab's registry", () => {
  const tokenOf = (i: string | number): string => `token-of-job-${i}`;
  let registry: TestServer;
  beforeAll(async () => {
    registry = await serveHttp((request, response) => {
      const basic = Buffer.from(request.headers.authorization?.slice("Basic ".length) ?? "", "base64");
      const user = /^gitlab-ci-token:token-of-job-(\d+)$/.exec(basic.toString())?.[1];
      const path = request.url ?? "";
      response.setHeader("docker-distribution-api-version", "registry/2.0");
      if (user === undefined) response.setHeader("www-authenticate", 'Basic realm="gitlab"');
      if (user === undefined) return sendError(response, 401, "UNAUTHORIZED");
      if (path === "/v2/") return sendJson(response, {});
      // Only the job's own repository is shown.
      if (!path.startsWith(`/v2/group/job-${user}/`)) return sendError(response, 403, "DENIED");
      sendJson(response, { name: `group/job-${user}`, tags: [`tag-${user}`] });
    });
  });
  afterAll(() => registry.close());

  const jobOf = (i: string | number, token = tokenOf(i)): Environment => ({
    CI_REGISTRY: registry.host,
    CI_REGISTRY_IMAGE: `${registry.host}/group/job-${i}`,
    CI_JOB_TOKEN: token,
  });

  it("is each job's own: twenty at once on one home directory", { timeout: 240_000 }, async () => {
    const docker = join(home, ".docker");
    mkdirSync(docker);
    // A store that all jobs of the machine would share: it must hear of no login.
    const heard = join(home, "heard");
    machine.program("docker-credential-shared", `echo "$1" >> "${heard}"; cat >> "${heard}"; exit 1`);
    const users = JSON.stringify({
      auths: { [registry.host]: { auth: "b2xkOm9sZA==" } },
      credsStore: "shared",
    });
    writeFileSync(join(docker, "config.json"), users);
    const elsewhere = `localhost:${registry.port}`;
    const skopeo = requirePeer("skopeo");
    const look =
      skopeo === undefined
        ? ""
        : `; skopeo list-tags --tls-verify=false --authfile "$DOCKER_CONFIG/config.json" "docker://$WERF_REPO"`;
    const jobs = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        // A later login of the job, to a host that the shared store would be asked for.
        const login = `printf %s "$CI_JOB_TOKEN" | werf cr login -u gitlab-ci-token --password-stdin ${elsewhere} 2>&1`;
        const script = `. "$(werf ci-env gitlab --as-file)"; said="$(${login})" || { echo "$said"; exit 1; }; cat "$DOCKER_CONFIG/config.json"; echo; echo ---${look}`;
        return { i, ...(await machine.run("bash", `set -e; ${script}`, jobOf(i))) };
      }),
    );
    expect(jobs.filter(({ exitCode, stderr }) => exitCode !== 0 || stderr !== "")).toEqual([]);
    for (const { i, stdout } of jobs) {
      const [config = "", tags = ""] = stdout.split("---\n");
      const auth = Buffer.from(`gitlab-ci-token:${tokenOf(i)}`).toString("base64");
      expect(JSON.parse(config)).toEqual({ auths: { [registry.host]: { auth }, [elsewhere]: { auth } } });
      if (skopeo !== undefined) expect(JSON.parse(tags)).toMatchObject({ Tags: [`tag-${i}`] });
    }
    expect(readFileSync(join(docker, "config.json"), "utf8")).toBe(users);
    expect(readdirSync(home).sort()).toEqual([".docker", ".werf"]);
    // A day later another job clears up after them.
    expect(readdirSync(temporary)).toHaveLength(20);
    const later = { now: () => new Date(Date.now() + 24 * 3_600_000), sleep: () => Promise.resolve() };
    const argv = ["ci-env", "gitlab", "--tmp-dir", temporary];
    const last = await werf(argv, { cwd: home, home, env: jobOf(20), clock: later });
    expect(last).toMatchObject({ exitCode: 0, stderr: "" });
    expect(readdirSync(temporary)).toHaveLength(1);
  });

  it("that is refused ends the job, tells no token, and leaves nothing behind", async () => {
    const result = await machine.run(
      "sh",
      'eval "$(werf ci-env gitlab --log-debug)"; echo went on',
      jobOf(1, "stolen-token"),
    );
    expect(result).toMatchObject({ exitCode: 1, stdout: "" });
    expect(result.stderr).toContain("refuses the login of gitlab-ci-token");
    expect(result.stderr).not.toContain("stolen-token");
    expect(readdirSync(temporary)).toEqual([]);
  });

  it("takes a certificate that nobody vouches for only with --skip-tls-verify-registry", async () => {
    const tls = await (await createTestAuthority()).issue("127.0.0.1");
    const secure = await serveHttp((_, response) => sendJson(response, {}), tls);
    const env = { CI_REGISTRY_IMAGE: `${secure.host}/group/shop`, CI_JOB_TOKEN: tokenOf(4) };
    const argv = ["ci-env", "gitlab", "--tmp-dir", temporary];
    const refused = await werf(argv, { cwd: home, home, env });
    const accepted = await werf([...argv, "--skip-tls-verify-registry"], { cwd: home, home, env });
    secure.close();
    expect(refused).toMatchObject({ exitCode: 1, stdout: "exit 1\n" });
    expect(accepted).toMatchObject({ exitCode: 0, stderr: "" });
  });

  it("is left out with --login-to-registry=false", async () => {
    const before = registry.requests.length;
    const argv = ["ci-env", "gitlab", "--tmp-dir", temporary, "--login-to-registry=false"];
    const { exitCode } = await werf(argv, { cwd: home, home, env: jobOf(2, "wrong") });
    expect({ exitCode, requests: registry.requests.length }).toEqual({ exitCode: 0, requests: before });
  });

  it("starts from $DOCKER_AUTH_CONFIG where that is asked for", async () => {
    const argv = ["ci-env", "gitlab", "--tmp-dir", temporary, "--use-docker-auth-config"];
    const DOCKER_AUTH_CONFIG = '{"auths":{"elsewhere.example":{"auth":"dTpw"}},"credsStore":"shared"}';
    const { stdout } = await werf(argv, { cwd: home, home, env: { ...jobOf(3), DOCKER_AUTH_CONFIG } });
    const directory = /^export DOCKER_CONFIG="(.*)"$/m.exec(stdout)?.[1] ?? "";
    const auth = Buffer.from(`gitlab-ci-token:${tokenOf(3)}`).toString("base64");
    const config: unknown = JSON.parse(readFileSync(join(directory, "config.json"), "utf8"));
    expect(config).toEqual({ auths: { "elsewhere.example": { auth: "dTpw" }, [registry.host]: { auth } } });
  });
});
