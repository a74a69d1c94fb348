import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type TestRun, testRun } from "../../../test/support/run-context.js";
import { createExec } from "../../core/spawn.js";
import { eraseCredential, storeCredential } from "./credential-store.js";
import { loadDockerConfig } from "./docker-config.js";
import { loginHost } from "./login.js";

let run: TestRun;
let directory: string;
let file: string;
beforeEach(async () => {
  run = await testRun();
  directory = join(run.home, ".docker");
  file = join(directory, "config.json");
});
afterEach(() => run.dispose());

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const login = (host: string, username = "me", password = "secret") => ({ host, username, password });
const readJson = async (path = file): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;

async function writeConfig(config: object): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(file, JSON.stringify(config), { mode: 0o644 });
}

/** A real helper: it keeps each server in a file, and writes down what it was called for. */
async function withHelper(name: string): Promise<{ using: TestRun; calls(): Promise<string[]> }> {
  const bin = await run.tmp();
  const script = `#!/bin/sh
cd '${bin}'
echo "$1" >> calls
input=$(cat)
name() { printf %s "$1" | tr -c 'a-z0-9' _; }
case "$1" in
store) server=$(printf %s "$input" | sed 's/.*"ServerURL":"\\([^"]*\\)".*/\\1/'); printf %s "$input" > "kept-$(name "$server")" ;;
get) cat "kept-$(name "$input")" 2>/dev/null || { echo 'credentials not found in native keychain'; exit 1; } ;;
erase) rm "kept-$(name "$input")" ;;
esac
`;
  await writeFile(join(bin, `docker-credential-${name}`), script);
  await chmod(join(bin, `docker-credential-${name}`), 0o755);
  const env = { ...run.env, PATH: `${bin}:/usr/bin:/bin` };
  const using = { ...run, env, exec: createExec({ env, cwd: run.cwd, signal: run.signal }) };
  return { using, calls: async () => (await readFile(join(bin, "calls"), "utf8")).trim().split("\n") };
}

test("a login is written for its owner alone, and everything else in the file stays", async () => {
  await writeConfig({ proxies: { default: {} }, auths: { "b.example": { auth: base64("b:b") } } });
  expect(await storeCredential(run, login("a.example:5000"))).toEqual({ kind: "file", file });
  expect(await readJson()).toEqual({
    proxies: { default: {} },
    auths: { "b.example": { auth: base64("b:b") }, "a.example:5000": { auth: base64("me:secret") } },
  });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readdir(directory)).toEqual(["config.json"]);
});

test("the first login makes the directory, for its owner alone", async () => {
  await storeCredential(run, login("a.example"));
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
});

test("Docker Hub has Docker's key, and other forms of a host's key are replaced", async () => {
  const api = { auth: base64("me:jwt") };
  const part = { auth: base64("part:x") };
  await writeConfig({
    auths: {
      "docker.io": { auth: base64("old:x") },
      "https://index.docker.io/v1/access-token": api,
      "https://a.example/v2/": { auth: base64("old:x") },
      "a.example/group": part,
    },
  });
  await storeCredential(run, login(loginHost(undefined)));
  await storeCredential(run, login(loginHost("https://A.example/ignored")));
  expect((await readJson())["auths"]).toEqual({
    "https://index.docker.io/v1/access-token": api,
    "https://index.docker.io/v1/": { auth: base64("me:secret") },
    "a.example/group": part,
    "a.example": { auth: base64("me:secret") },
  });
  expect(await eraseCredential(run, "docker.io")).toBe(true);
  expect(await eraseCredential(run, "docker.io")).toBe(false);
  expect(Object.keys((await readJson())["auths"] as object)).toEqual(["a.example/group", "a.example"]);
});

test("an identity token is kept in place of the password, and read again", async () => {
  await storeCredential(run, { ...login("a.example"), identityToken: "refresh" });
  expect((await readJson())["auths"]).toEqual({
    "a.example": { auth: base64("me:"), identitytoken: "refresh" },
  });
  const config = await loadDockerConfig(run);
  expect(await config.credentialFor({ host: "a.example", name: "x" })).toEqual({
    kind: "identity-token",
    token: "refresh",
  });
});

test("a configured store gets the login, by the protocol, and the file only its name", async () => {
  const { using, calls } = await withHelper("box");
  await writeConfig({ credsStore: "box", auths: { "a.example": { auth: base64("old:x") } } });
  const stored = await storeCredential(using, login("a.example"));
  expect(stored).toEqual({ kind: "helper", program: "docker-credential-box" });
  expect((await readJson())["auths"]).toEqual({ "a.example": {} });
  const find = async (): Promise<unknown> =>
    (await loadDockerConfig(using)).credentialFor({ host: "a.example", name: "x" });
  expect(await find()).toEqual({ kind: "basic", username: "me", password: "secret" });
  expect(await eraseCredential(using, "a.example")).toBe(true);
  expect(await find()).toBeUndefined();
  expect(await calls()).toEqual(["store", "get", "get", "erase", "get"]);
});

test("a private copy keeps its logins out of the store", async () => {
  const { using } = await withHelper("box");
  await writeConfig({ credsStore: "box" });
  await storeCredential(using, login("a.example", "shared"));
  const copy = await run.tmp();
  await writeFile(join(copy, "config.json"), JSON.stringify({ credsStore: "box" }));
  const options = { dockerConfigDir: copy, fileOnly: true };
  const stored = await storeCredential(using, login("a.example", "private"), options);
  expect(stored).toEqual({ kind: "file", file: join(copy, "config.json") });
  expect(await readJson(join(copy, "config.json"))).toEqual({
    credsStore: "box",
    auths: { "a.example": { auth: base64("private:secret") } },
    credHelpers: { "a.example": "" },
  });
  const config = await loadDockerConfig(using, copy);
  expect(await config.credentialFor({ host: "a.example", name: "x" })).toMatchObject({ username: "private" });
});

test("twenty logins at once lose nothing", async () => {
  const hosts = Array.from({ length: 20 }, (_, i) => `r${i}.example`);
  await Promise.all(hosts.map((host) => storeCredential(run, login(host))));
  expect(Object.keys((await readJson())["auths"] as object).sort()).toEqual(hosts.sort());
  expect(await readdir(directory)).toEqual(["config.json"]);
});

test("a lock that a killed process has left is broken", async () => {
  let waited = 0;
  const clock = {
    now: () => new Date(),
    sleep: async (ms: number) => {
      waited += ms;
    },
  };
  await mkdir(directory);
  await writeFile(`${file}.werf-ts-lock`, "");
  await storeCredential({ ...run, clock }, login("a.example"));
  expect(waited).toBeGreaterThanOrEqual(10_000);
  expect(await readdir(directory)).toEqual(["config.json"]);
});

test("a file behind a symbolic link is changed where it lies", async () => {
  const elsewhere = join(await run.tmp(), "real.json");
  await writeFile(elsewhere, "{}");
  await mkdir(directory);
  await symlink(elsewhere, file);
  await storeCredential(run, login("a.example"));
  expect(await readJson(elsewhere)).toHaveProperty("auths");
});

test("a broken file is left as it is", async () => {
  await mkdir(directory);
  await writeFile(file, "{ broken");
  await expect(storeCredential(run, login("a.example"))).rejects.toMatchObject({
    code: "registry/docker-config-invalid",
  });
  expect(await readFile(file, "utf8")).toBe("{ broken");
});

test("a directory that can't be written to is named", async () => {
  await writeFile(directory, "a file");
  await expect(storeCredential(run, login("a.example"))).rejects.toMatchObject({
    code: "registry/docker-config-unwritable",
    message: expect.stringContaining(file),
  });
});

test.each([
  [undefined, "docker.io"],
  ["docker.io", "docker.io"],
  ["https://index.docker.io/v1/", "docker.io"],
  ["registry.example:5000", "registry.example:5000"],
  ["oci://Registry.example/charts", "registry.example"],
  ["localhost", "localhost"],
])("the host of %s is %s", (registry, host) => {
  expect(loginHost(registry)).toBe(host);
});

test.each(["harbor", "a b.example", "user:pass@registry.example", "registry.example:99999", "/x"])(
  "%s is no host",
  (registry) => {
    expect(() => loginHost(registry)).toThrow("is not the host of a registry");
  },
);
