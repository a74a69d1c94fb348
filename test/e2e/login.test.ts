import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createTestAuthority } from "../support/certificates.js";
import { binary, type CliResult, type CliSetting, werf, werfProcess } from "../support/cli.js";
import { sendJson, serveHttp, type TestServer } from "../support/http-server.js";
import { shopFiles, testProject } from "../support/project.js";
import { isMissing, requirePeer, startDockerRegistry, type TestRegistry } from "../support/registries.js";

const present = requirePeer("docker-registry") !== undefined;
const password = "s3cret-pass";
/** Bcrypt of `password`, of the lowest cost. */
const passwords = "me:$2b$04$NsY1pIiZ.f2r7nP5o5bUNeGzLprTN95cDFDG.dBMvFyEfQqEeT9Du\n";

let registry: TestRegistry;
let home: string;
let directory: string;
beforeAll(async () => {
  if (!present) return;
  const started = await startDockerRegistry({ passwords });
  if (isMissing(started)) throw new Error(started.missing);
  registry = started;
});
afterAll(async () => {
  if (present) await registry.stop();
});
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "werf-ts-login-"));
  directory = join(home, ".docker");
});
afterEach(() => rm(home, { recursive: true }));

const call = (argv: readonly string[], more: Partial<CliSetting> = {}): Promise<CliResult> =>
  werf(argv, { cwd: home, home, ...more });
const config = async (): Promise<{ auths?: Record<string, unknown> }> =>
  JSON.parse(await readFile(join(directory, "config.json"), "utf8")) as { auths?: Record<string, unknown> };
const base64 = (text: string): string => Buffer.from(text).toString("base64");

describe.skipIf(!present)("cr login and logout, against a registry that asks for Basic", () => {
  it("keeps a login that is good, and builds with it; logs out", async () => {
    const given = ["-u", "me", "--password-stdin"];
    const login = await call(["cr", "login", registry.host, ...given], { stdin: `${password}\n` });
    expect(login).toMatchObject({ exitCode: 0, stdout: "Successful login\n" });
    expect(login.stderr).toContain(`kept as plain text in ${join(directory, "config.json")}`);
    expect(await config()).toEqual({ auths: { [registry.host]: { auth: base64(`me:${password}`) } } });
    expect((await stat(join(directory, "config.json"))).mode & 0o777).toBe(0o600);

    const project = testProject(shopFiles);
    try {
      project.commit("first");
      const build = ["build", "--repo", `${registry.host}/login/shop`];
      const built = await werf(build, { cwd: project.directory, home });
      expect(built, built.stderr).toMatchObject({ exitCode: 0 });

      const logout = await call(["cr", "logout", registry.host]);
      expect(logout).toEqual({ exitCode: 0, stdout: "Successful logout\n", stderr: "" });
      expect(await config()).toEqual({ auths: {} });
      const refused = await werf(build, { cwd: project.directory, home });
      expect(refused).toMatchObject({ exitCode: 1 });
      expect(refused.stderr).toContain(`werf cr login ${registry.host}`);
    } finally {
      project.dispose();
    }
  });

  it("keeps nothing of a login that is refused, and doesn't show the password", async () => {
    const env = { WERF_USERNAME: "me", WERF_PASSWORD: "wrong-password" };
    const refused = await call(["cr", "login", registry.host, "--log-debug"], { env });
    expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
    expect(refused.stderr).toContain(`${registry.host} refuses the login of me: status 401`);
    expect(refused.stderr).not.toContain("wrong-password");
    await expect(config()).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("gives the login to the store that is configured", async () => {
    const bin = join(home, "bin");
    await mkdir(bin);
    await mkdir(directory);
    await writeFile(join(directory, "config.json"), '{"credsStore":"box"}');
    const script = `#!/bin/sh\necho "$1" >> "${home}/calls"\ncat > "${home}/last"\n`;
    await writeFile(join(bin, "docker-credential-box"), script);
    await chmod(join(bin, "docker-credential-box"), 0o755);
    const env = { PATH: `${bin}:${process.env["PATH"]}` };
    const login = await call(["cr", "login", registry.host, "-u", "me", "-p", password], { env });
    expect(login).toEqual({ exitCode: 0, stdout: "Successful login\n", stderr: "" });
    expect(JSON.parse(await readFile(join(home, "last"), "utf8"))).toEqual({
      ServerURL: registry.host,
      Username: "me",
      Secret: password,
    });
    expect(await readFile(join(directory, "config.json"), "utf8")).not.toContain(base64(`me:${password}`));
  });

  const script = requirePeer("script");
  it.skipIf(script === undefined)("asks on a terminal, and doesn't show the password", async () => {
    const screen = await onTerminal(
      ["cr", "login", registry.host],
      [
        ["Username: ", "me\r"],
        ["Password: ", `${password}\r`],
      ],
    );
    expect(screen).toContain("Successful login");
    expect(screen).toContain("Username: me");
    expect(screen).not.toContain(password);
    expect(await config()).toHaveProperty(["auths", registry.host]);
  });

  it.skipIf(script === undefined)("ends with 130 on Ctrl-C at a question", async () => {
    const screen = await onTerminal(
      ["cr", "login", registry.host, "-u", "me"],
      [["Password: ", "abc\u0003"]],
    );
    expect(screen).toContain("interrupted; nothing was changed");
    expect(screen).toContain("exit code 130");
  });

  const skopeo = requirePeer("skopeo");
  it.skipIf(skopeo === undefined)(
    "understands a login of skopeo's, for a host and for a part of it",
    async () => {
      const file = join(home, "auth.json");
      const login = (address: string): Promise<unknown> =>
        promisify(execFile)(skopeo ?? "", [
          ...["login", "--tls-verify=false", "--authfile", file, "-u", "me", "-p", password, address],
        ]);
      for (const address of [registry.host, `${registry.host}/skopeo/shop`]) {
        await rm(file, { force: true });
        await login(address);
        const project = testProject(shopFiles);
        try {
          project.commit("first");
          const env = { REGISTRY_AUTH_FILE: file };
          const build = ["build", "--repo", `${registry.host}/skopeo/shop`];
          const built = await werf(build, { cwd: project.directory, home, env });
          expect(built, built.stderr).toMatchObject({ exitCode: 0 });
        } finally {
          project.dispose();
        }
      }
    },
  );

  const docker = requirePeer("docker");
  it.skipIf(docker === undefined)("understands docker login's login, and ends it", async () => {
    const input = spawn(docker ?? "", ["login", registry.host, "-u", "me", "--password-stdin"], {
      env: { PATH: process.env["PATH"], HOME: home },
      stdio: ["pipe", "ignore", "ignore"],
    });
    const ended = once(input, "close");
    input.stdin.end(password);
    expect(await ended).toEqual([0, null]);
    const project = testProject(shopFiles);
    try {
      project.commit("first");
      const build = ["build", "--repo", `${registry.host}/docker/shop`];
      const built = await werf(build, { cwd: project.directory, home });
      expect(built, built.stderr).toMatchObject({ exitCode: 0 });
    } finally {
      project.dispose();
    }
    expect(await call(["cr", "logout", registry.host])).toMatchObject({ exitCode: 0, stderr: "" });
    expect(await config()).toEqual({ auths: {} });
  });

  it.skipIf(skopeo === undefined)("keeps logins as skopeo reads them", async () => {
    await call(["cr", "login", registry.host, "-u", "me", "-p", password]);
    const list = ["list-tags", "--tls-verify=false", "--authfile", join(directory, "config.json")];
    const missing = promisify(execFile)(skopeo ?? "", [...list, `docker://${registry.host}/nothing`]);
    // Known to the registry, but not the repository: we were let in.
    await expect(missing).rejects.toThrow(/404/);
  });
});

describe("cr login", () => {
  it("loses none of the logins of twenty processes at once", async () => {
    const servers: TestServer[] = [];
    for (let i = 0; i < 20; i++) servers.push(await serveHttp((_, response) => sendJson(response, {})));
    try {
      const logins = await Promise.all(
        servers.map(({ host }) =>
          werfProcess(["cr", "login", host, "-u", "me", "-p", `of-${host}`], { cwd: home, home }),
        ),
      );
      expect(logins.map(({ exitCode }) => exitCode)).toEqual(Array(20).fill(0));
      expect(logins[0]?.stderr).toContain("lets everybody in");
      const { auths } = await config();
      expect(auths).toEqual(
        Object.fromEntries(servers.map(({ host }) => [host, { auth: base64(`me:of-${host}`) }])),
      );
    } finally {
      for (const server of servers) server.close();
    }
  });

  it("speaks to a registry whose certificate isn't trusted only when told to", async () => {
    const authority = await createTestAuthority();
    const seen: (string | undefined)[] = [];
    const server = await serveHttp(
      (request, response) => {
        seen.push(request.headers.authorization);
        if (request.headers.authorization !== undefined) return sendJson(response, {});
        response.writeHead(401, { "www-authenticate": "Basic realm=x" }).end();
      },
      await authority.issue("127.0.0.1"),
    );
    try {
      const login = ["cr", "login", server.host, "-u", "me", "-p", "secret"];
      for (const more of [[], ["--insecure-registry"]]) {
        expect((await call([...login, ...more])).exitCode).toBe(1);
      }
      expect(seen).toEqual([]);
      const caFile = join(home, "ca.pem");
      await writeFile(caFile, authority.certificate);
      for (const more of [["--skip-tls-verify-registry"], ["--registry-ca-file", caFile]]) {
        const result = await call([...login, ...more]);
        expect(result, result.stderr).toMatchObject({ exitCode: 0 });
      }
    } finally {
      server.close();
    }
  });

  it.each([
    [[], "the user name is missing"],
    [["-u", "me"], "the password is missing"],
    [["-u", "me", "--password-stdin"], "the password is empty"],
    [["--password-stdin"], "the user name is missing"],
    [["-u", "me", "-p", "secret", "--password-stdin"], "the password is given twice"],
    [["-u", "a:b", "-p", "secret"], "the user name has a colon"],
    [["harbor", "-u", "me", "-p", "secret"], '"harbor" is not the host of a registry'],
  ])("answers %j with exit code 2", async (argv, message) => {
    const result = await call(["cr", "login", ...argv]);
    expect(result).toMatchObject({ exitCode: 2, stdout: "" });
    expect(result.stderr).toContain(message);
  });
});

describe("cr logout", () => {
  it("says when there was no login, and when podman's is left", async () => {
    const none = await call(["cr", "logout", "registry.example"]);
    expect(none).toMatchObject({ exitCode: 0, stdout: "Successful logout\n" });
    expect(none.stderr).toContain("there was no login to registry.example");
    const podman = join(home, ".config", "containers");
    await mkdir(podman, { recursive: true });
    const auths = { "registry.example": { auth: base64("me:secret") } };
    await writeFile(join(podman, "auth.json"), JSON.stringify({ auths }));
    const left = await call(["cr", "logout", "registry.example"]);
    expect(left.stderr).toContain("another tool's login to registry.example is left");
  });
});

/** The packed command on a terminal of its own (script(1)); each answer is typed when its question is seen. */
function onTerminal(
  argv: readonly string[],
  answers: readonly (readonly [question: string, answer: string])[],
): Promise<string> {
  const line = [process.execPath, binary, ...argv].map((word) => `'${word}'`).join(" ");
  return new Promise((resolve, reject) => {
    const child = spawn(requirePeer("script") ?? "", ["-qec", `${line}; echo "exit code $?"`, "/dev/null"], {
      cwd: home,
      env: { PATH: process.env["PATH"], HOME: home },
      stdio: ["pipe", "pipe", "inherit"],
    });
    let screen = "";
    let asked = 0;
    child.stdout.on("data", (chunk: Buffer) => {
      screen += chunk.toString();
      const [question, answer] = answers[asked] ?? [];
      if (question === undefined || !screen.includes(question)) return;
      asked++;
      child.stdin.write(answer ?? "");
    });
    child.once("error", reject);
    child.once("close", () => resolve(screen));
  });
}
