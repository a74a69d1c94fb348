import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type TestRun, testRun } from "../../../test/support/run-context.js";
import { createExec } from "../../core/spawn.js";
import type { Credential } from "./credential.js";
import { askCredentialHelper } from "./credential-helper.js";
import { dockerConfigDirectory, loadDockerConfig } from "./docker-config.js";

let run: TestRun;
beforeEach(async () => {
  run = await testRun();
});
afterEach(() => run.dispose());

const base64 = (text: string): string => Buffer.from(text).toString("base64");

async function lookUp(
  config: object,
  address: string,
  using: TestRun = run,
): Promise<Credential | undefined> {
  const directory = join(using.home, ".docker");
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "config.json"), JSON.stringify(config));
  const [host = "", ...name] = address.split("/");
  return (await loadDockerConfig(using)).credentialFor({ host, name: name.join("/") });
}

/** The run with a program on its PATH. */
async function withHelper(name: string, script: string): Promise<TestRun> {
  const bin = await run.tmp();
  const file = join(bin, `docker-credential-${name}`);
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  const env = { PATH: `${bin}:/usr/bin:/bin` };
  return { ...run, env, exec: createExec({ env, cwd: run.cwd, signal: run.signal }) };
}

const user = (username: string, password = "secret"): Credential => ({ kind: "basic", username, password });

test("every form of an entry is understood", async () => {
  const auths = {
    "a.example": { auth: base64("user:pass:word") },
    "b.example:5000": { username: "user", password: "secret" },
    "c.example": { auth: base64("user:old"), identitytoken: "refresh" },
    "d.example": { registrytoken: "bearer" },
    "e.example": {},
  };
  expect(await lookUp({ auths }, "a.example/x")).toEqual(user("user", "pass:word"));
  expect(await lookUp({ auths }, "b.example:5000/x")).toEqual(user("user"));
  expect(await lookUp({ auths }, "b.example/x")).toBeUndefined();
  expect(await lookUp({ auths }, "c.example/x")).toEqual({ kind: "identity-token", token: "refresh" });
  expect(await lookUp({ auths }, "d.example/x")).toEqual({ kind: "registry-token", token: "bearer" });
  expect(await lookUp({ auths }, "e.example/x")).toBeUndefined();
  expect(run.secrets.redact(`pass:word refresh ${base64("user:pass:word")}`)).toBe("*** *** ***");
});

test.each([
  "https://index.docker.io/v1/",
  "index.docker.io",
  "docker.io",
  "https://registry-1.docker.io/v2/",
])("Docker Hub is found under %s", async (key) => {
  expect(
    await lookUp({ auths: { [key]: { auth: base64("me:secret") } } }, "docker.io/library/alpine"),
  ).toEqual(user("me"));
});

test("keys with a scheme match their host; of keys with a path the longest wins, by whole parts", async () => {
  const auths = {
    "https://a.example": { auth: base64("host:secret") },
    "a.example/group": { auth: base64("group:secret") },
    "http://a.example/group/app/": { auth: base64("app:secret") },
  };
  expect(await lookUp({ auths }, "a.example/other")).toEqual(user("host"));
  expect(await lookUp({ auths }, "a.example/groups")).toEqual(user("host"));
  expect(await lookUp({ auths }, "a.example/group/b")).toEqual(user("group"));
  expect(await lookUp({ auths }, "a.example/group/app/c")).toEqual(user("app"));
});

test("a helper of the host is asked by stdin and goes before the store and the file", async () => {
  const using = await withHelper(
    "one",
    `read server; echo "{\\"Username\\":\\"$server\\",\\"Secret\\":\\"s3cret\\"}"`,
  );
  const config = {
    auths: { "a.example": { auth: base64("file:secret") } },
    credHelpers: { "a.example": "one", "docker.io": "one" },
    credsStore: "missing",
  };
  expect(await lookUp(config, "a.example/x", using)).toEqual(user("a.example", "s3cret"));
  expect(await lookUp(config, "docker.io/library/x", using)).toEqual(
    user("https://index.docker.io/v1/", "s3cret"),
  );
  expect(run.secrets.redact("s3cret")).toBe("***");
});

test("a token of a helper is an identity token; what it doesn't know is looked up in the file", async () => {
  const token = await withHelper("t", `echo '{"Username":"<token>","Secret":"refresh"}'`);
  expect(await lookUp({ credsStore: "t" }, "a.example/x", token)).toEqual({
    kind: "identity-token",
    token: "refresh",
  });
  const unknown = await withHelper("u", "echo 'credentials not found in native keychain'; exit 1");
  const auths = { "a.example": { auth: base64("file:secret") } };
  expect(await lookUp({ auths, credsStore: "u" }, "a.example/x", unknown)).toEqual(user("file"));
  expect(await lookUp({ auths, credsStore: "u" }, "b.example/x", unknown)).toBeUndefined();
});

test("a missing helper of the host is an error that names it, a missing store a warning", async () => {
  await expect(lookUp({ credHelpers: { "a.example": "nowhere" } }, "a.example/x")).rejects.toMatchObject({
    code: "registry/credential-helper-missing",
    message: expect.stringContaining("docker-credential-nowhere"),
  });
  const auths = { "a.example": { auth: base64("file:secret") } };
  expect(await lookUp({ auths, credsStore: "nowhere" }, "a.example/x")).toEqual(user("file"));
  expect(run.events).toMatchObject([{ code: "warning", id: "registry/credential-helper-missing" }]);
});

test("a helper that fails, or answers with something else, is an error", async () => {
  const failing = await withHelper("f", "echo 'keychain is locked' >&2; exit 3");
  await expect(lookUp({ credsStore: "f" }, "a.example/x", failing)).rejects.toThrow(
    /exit code 3: keychain is locked/,
  );
  const talking = await withHelper("g", "echo hello");
  await expect(lookUp({ credsStore: "g" }, "a.example/x", talking)).rejects.toThrow(
    /did not answer with JSON/,
  );
  await expect(lookUp({ credsStore: "../evil" }, "a.example/x")).rejects.toThrow(
    /no name of a credential helper/,
  );
});

test("the directory: an option, WERF_DOCKER_CONFIG, DOCKER_CONFIG, the home", async () => {
  expect(dockerConfigDirectory(run)).toBe(join(run.home, ".docker"));
  const env = { DOCKER_CONFIG: "/docker", WERF_DOCKER_CONFIG: "relative" };
  expect(dockerConfigDirectory({ ...run, env: { DOCKER_CONFIG: "/docker" } })).toBe("/docker");
  expect(dockerConfigDirectory({ ...run, env })).toBe(join(run.cwd, "relative"));
  expect(dockerConfigDirectory({ ...run, env }, "/option")).toBe("/option");
});

async function writeJson(file: string, value: object): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify(value));
}

const authOf = (host: string, username: string): object => ({
  auths: { [host]: { auth: base64(`${username}:secret`) } },
});

test("what Docker's file doesn't know is looked up in podman's: of the session, then of the user", async () => {
  const runtime = join(run.home, "run");
  const using = { ...run, env: { ...run.env, XDG_RUNTIME_DIR: runtime } };
  await writeJson(join(runtime, "containers", "auth.json"), authOf("a.example", "session"));
  await writeJson(join(run.home, ".config", "containers", "auth.json"), {
    auths: { "a.example": { auth: base64("user:secret") }, "b.example": { auth: base64("user:secret") } },
  });
  const find = async (host: string): Promise<Credential | undefined> =>
    (await loadDockerConfig(using)).credentialFor({ host, name: "x" });
  expect(await find("a.example")).toEqual(user("session"));
  expect(await find("b.example")).toEqual(user("user"));
  await writeJson(join(run.home, ".docker", "config.json"), authOf("a.example", "docker"));
  expect(await find("a.example")).toEqual(user("docker"));
  expect(await find("b.example")).toEqual(user("user"));
});

test("a directory that was named is alone, but for REGISTRY_AUTH_FILE", async () => {
  await writeJson(join(run.home, ".config", "containers", "auth.json"), authOf("a.example", "podman"));
  const empty = await run.tmp();
  const find = async (env: Record<string, string>): Promise<Credential | undefined> =>
    (await loadDockerConfig({ ...run, env })).credentialFor({ host: "a.example", name: "x" });
  expect(await find({})).toEqual(user("podman"));
  expect(await find({ DOCKER_CONFIG: empty })).toBeUndefined();
  const file = join(empty, "named.json");
  await writeJson(file, authOf("a.example", "named"));
  expect(await find({ DOCKER_CONFIG: empty, REGISTRY_AUTH_FILE: file })).toEqual(user("named"));
});

test("a broken file that isn't needed breaks nothing", async () => {
  await writeJson(join(run.home, ".config", "containers", "auth.json"), []);
  expect(await lookUp(authOf("a.example", "docker"), "a.example/x")).toEqual(user("docker"));
  await expect(lookUp({}, "b.example/x")).rejects.toMatchObject({ code: "registry/docker-config-invalid" });
});

test("the tokens of Docker Hub's own API are no logins, and Docker's key goes before others", async () => {
  const auths = {
    "https://index.docker.io/v1/access-token": { auth: base64("me:jwt") },
    "https://index.docker.io/v1/refresh-token": { auth: "not base64 of a pair" },
  };
  expect(await lookUp({ auths }, "docker.io/v1/access-token")).toBeUndefined();
  const both = { ...authOf("docker.io", "podman") } as { auths: object };
  const own = { "https://index.docker.io/v1/": { auth: base64("docker:secret") } };
  expect(await lookUp({ auths: { ...auths, ...both.auths, ...own } }, "docker.io/me/x")).toEqual(
    user("docker"),
  );
});

test("an entry for a part of a host goes before a helper for all of it", async () => {
  const using = await withHelper("one", `echo '{"Username":"all","Secret":"secret"}'`);
  const auths = { "a.example/group": { auth: base64("group:secret") } };
  for (const config of [
    { auths, credsStore: "one" },
    { auths, credHelpers: { "a.example": "one" } },
  ]) {
    expect(await lookUp(config, "a.example/group/x", using)).toEqual(user("group"));
    expect(await lookUp(config, "a.example/other", using)).toEqual(user("all"));
  }
});

test("an empty helper of a host says: not the store, but the file", async () => {
  const auths = { "a.example": { auth: base64("file:secret") } };
  const config = { auths, credsStore: "nowhere", credHelpers: { "a.example": "" } };
  expect(await lookUp(config, "a.example/x")).toEqual(user("file"));
  expect(run.events).toEqual([]);
});

test("a helper that doesn't answer is given up and named", async () => {
  const using = await withHelper("slow", "exec sleep 60");
  await expect(askCredentialHelper(using, "slow", "a.example", 200)).rejects.toThrow(
    "docker-credential-slow did not answer within 0.2 seconds",
  );
});

test.each([
  ["not JSON", '{"auths": {"a": {"auth": "c2VjcmV0'],
  ["not an object", "[]"],
  ["auths", '{"auths": []}'],
  ["auth", '{"auths": {"a.example": {"auth": "bm9jb2xvbg=="}}}'],
])("a broken file is named and not quoted: %s", async (_what, text) => {
  const directory = join(run.home, ".docker");
  await mkdir(directory);
  await writeFile(join(directory, "config.json"), text);
  const failed = loadDockerConfig(run);
  await expect(failed).rejects.toMatchObject({
    code: "registry/docker-config-invalid",
    message: expect.stringContaining(join(directory, "config.json")),
  });
  await expect(failed).rejects.not.toThrow(/c2VjcmV0|bm9jb2xvbg/);
});
