import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type TestRun, testRun } from "../../test/support/run-context.js";
import { mergeConfigs, parseAuthConfig, privateConfig } from "./docker-config.js";
import { createJobDirectory, sweepJobDirectories } from "./job-directory.js";

let run: TestRun;
beforeEach(async () => {
  run = await testRun();
});
afterEach(() => run.dispose());

const notes = (): string => join(run.werfHome, "ci-env", "docker-configs");
const create = (source?: string): ReturnType<typeof createJobDirectory> =>
  createJobDirectory(run, { temporary: run.cwd, source, config: { auths: {} } });
const mode = (path: string): number => lstatSync(path).mode & 0o777;

function age(note: string, hours: number): void {
  const at = new Date(Date.now() - hours * 3_600_000);
  utimesSync(join(notes(), note), at, at);
}

describe("a job's directory", () => {
  it("is a private copy, without what is big or bound to the machine", async () => {
    const docker = join(run.home, ".docker");
    for (const name of ["contexts/meta", "cli-plugins", "buildx/refs", "run", "scout-cache"])
      mkdirSync(join(docker, name), { recursive: true });
    writeFileSync(join(docker, "contexts/meta/meta.json"), "{}", { mode: 0o644 });
    writeFileSync(join(docker, "cli-plugins/docker-buildx"), "binary");
    writeFileSync(join(docker, "config.json"), '{"auths":{"never":{}}}');
    writeFileSync(join(run.home, "key.pem"), "key", { mode: 0o644 });
    symlinkSync(join(run.home, "key.pem"), join(docker, "key.pem"));
    symlinkSync(join(run.home, "nowhere"), join(docker, "dangling"));
    symlinkSync(docker, join(docker, "contexts", "loop"));
    const { path } = await create(docker);
    expect(readdirSync(path).sort()).toEqual(["config.json", "contexts", "key.pem"]);
    expect(JSON.parse(readFileSync(join(path, "config.json"), "utf8"))).toEqual({ auths: {} });
    expect([path, join(path, "contexts")].map(mode)).toEqual([0o700, 0o700]);
    const files = ["config.json", "key.pem", "contexts/meta/meta.json"].map((name) => join(path, name));
    expect(files.map(mode)).toEqual([0o600, 0o600, 0o600]);
    expect(lstatSync(join(path, "key.pem")).isFile()).toBe(true);
  });

  it("is removed, with its note, when the job doesn't come to use it", async () => {
    const job = await create(join(run.home, ".docker"));
    expect(readdirSync(notes())).toHaveLength(1);
    await job.discard();
    expect([readdirSync(notes()), readdirSync(run.cwd)]).toEqual([[], ["home"]]);
  });

  it("is swept after six hours, and nothing else ever is", async () => {
    const [old, young, other] = [await create(), await create(), await create()];
    const stranger = join(run.cwd, "werf-9-docker-config-abc");
    mkdirSync(stranger);
    const bystander = join(run.cwd, "important");
    mkdirSync(bystander);
    const note = (path: string): string => path.slice(run.cwd.length + 1);
    // Notes that lie: another directory, a directory that was replaced, no note at all.
    writeFileSync(join(notes(), "x"), JSON.stringify({ path: bystander, ino: lstatSync(bystander).ino }));
    writeFileSync(join(notes(), note(other.path)), JSON.stringify({ path: other.path, ino: 1 }));
    writeFileSync(join(notes(), "y"), "{");
    for (const name of [note(old.path), note(other.path), "x", "y"]) age(name, 6.1);
    age(note(young.path), 5.9);
    await sweepJobDirectories(run);
    const left = [note(young.path), note(other.path), note(stranger), "important", "home"];
    expect(readdirSync(run.cwd).sort()).toEqual(left.sort());
    expect(readdirSync(notes())).toEqual([note(young.path)]);
  });

  it("says what to do when it can't be made", async () => {
    const options = { temporary: join(run.cwd, "missing"), source: undefined, config: {} };
    await expect(createJobDirectory(run, options)).rejects.toMatchObject({
      code: "ci-env/temporary-unwritable",
      hint: expect.stringContaining("--tmp-dir"),
    });
  });
});

describe("a job's config.json", () => {
  it("has no store of the machine; helpers of hosts stay, but for the one that is logged in to", () => {
    const config = {
      auths: { "registry.example": { auth: "dTpw" } },
      credsStore: "osxkeychain",
      credHelpers: { "123.dkr.ecr.eu-central-1.amazonaws.com": "ecr-login", "Registry.example": "pass" },
      proxies: { default: {} },
    };
    const { credsStore: _, ...rest } = config;
    expect(privateConfig(config, undefined)).toEqual(rest);
    expect(privateConfig(config, "registry.example")).toEqual({
      ...rest,
      credHelpers: { "123.dkr.ecr.eu-central-1.amazonaws.com": "ecr-login" },
    });
  });

  it("keeps a store that only makes tokens out of the machine's identity", () => {
    expect(privateConfig({ credsStore: "ecr-login" }, "x")).toEqual({ credsStore: "ecr-login" });
  });

  it("is made of all files in which logins are looked for, the first one first", () => {
    const docker = { auths: { a: { auth: "1" } }, credsStore: "pass" };
    const podman = { auths: { a: { auth: "2" }, b: { auth: "3" } }, credHelpers: { c: "x" } };
    expect(mergeConfigs([docker, podman])).toEqual({
      auths: { a: { auth: "1" }, b: { auth: "3" } },
      credHelpers: { c: "x" },
      credsStore: "pass",
    });
    expect(mergeConfigs([])).toEqual({});
  });

  it.each([[undefined], [""], ["[]"], ["{secret"]])(
    "refuses $DOCKER_AUTH_CONFIG=%s without quoting it",
    (text) => {
      expect(() => parseAuthConfig(text)).toThrow(
        /^--use-docker-auth-config: \$DOCKER_AUTH_CONFIG is (empty|not)/,
      );
      expect(() => parseAuthConfig(text)).not.toThrow("secret");
    },
  );
});
