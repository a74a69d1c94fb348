import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.js";
import { type OpenRegistry, openRegistry } from "../../src/embedded-registry/server/server.js";
import { type CliResult, werfProcess } from "../support/cli.js";
import { serveHttp, type TestServer } from "../support/http-server.js";
import { type TestProject, testProject } from "../support/project.js";
import { readTags, registryTags } from "../support/tags.js";

let project: TestProject;
let registry: OpenRegistry;
let server: TestServer;
let tmp: string;
/** Called with the first upload of a blob, which is then never answered. */
let onUpload: (() => void) | undefined;

beforeAll(async () => {
  project = testProject({
    "werf.yaml": "project: app\nconfigVersion: 1\n---\nimage: app\ndockerfile: Dockerfile\n",
    Dockerfile: "FROM scratch\nCOPY app.txt /\n",
    "app.txt": "content\n",
  });
  project.commit("first");
  tmp = join(project.base, "tmp");
  mkdirSync(tmp);
  registry = await openRegistry({
    root: join(project.base, "registry"),
    clock: systemClock,
    emit: () => undefined,
    durable: false,
  });
  server = await serveHttp((request, response) => {
    if (request.method !== "PUT" || onUpload === undefined) return registry.handle(request, response);
    onUpload();
    return new Promise(() => undefined);
  });
});
afterAll(async () => {
  server.close();
  await registry.close();
  project.dispose();
});

function build(repository: string, watch: Parameters<typeof werfProcess>[2]): Promise<CliResult> {
  const setting = { cwd: project.directory, home: project.home, env: { TMPDIR: tmp } };
  return werfProcess(["build", "--repo", repository], setting, watch);
}

it.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)("after %s it ends with %d, and leaves neither files nor tags", async (signal, exitCode) => {
  const repository = `${server.host}/process/${signal.toLowerCase()}`;
  const result = await build(repository, (child) => {
    onUpload = () => child.kill(signal);
  });
  onUpload = undefined;
  expect(result).toMatchObject({ exitCode, stdout: "" });
  expect(result.stderr).toContain("Error: build was interrupted\n");
  expect(readdirSync(tmp)).toEqual([]);
  expect(await registryTags(repository)).toEqual([]);
});

it("goes on when nobody reads what it says", async () => {
  const repository = `${server.host}/process/unread`;
  const { exitCode } = await build(repository, (child) => {
    child.stdout.destroy();
    child.stderr.destroy();
  });
  expect(exitCode).toBe(0);
  expect(readTags(await registryTags(repository))).toMatchObject({ stages: 1, managed: ["app"] });
});
