import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type TestRun, testRun } from "../../../test/support/run-context.js";
import { createExec } from "../../core/spawn.js";
import type { Credential } from "./credential.js";
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

test("without config.json podman's file is read", async () => {
  const directory = join(run.home, ".config", "containers");
  await mkdir(directory, { recursive: true });
  const file = join(directory, "auth.json");
  await writeFile(file, JSON.stringify({ auths: { "a.example": { auth: base64("podman:secret") } } }));
  const config = await loadDockerConfig(run);
  expect(config.file).toBe(file);
  expect(await config.credentialFor({ host: "a.example", name: "x" })).toEqual(user("podman"));
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
