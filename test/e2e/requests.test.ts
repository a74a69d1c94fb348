import { afterAll, beforeAll, expect, it } from "vitest";
import { type CliResult, werf } from "../support/cli.js";
import { type Gate, startGate } from "../support/gate.js";
import { shopFiles, type TestProject, testProject } from "../support/project.js";
import { type EmbeddedTestRegistry, startEmbedded } from "../support/registries.js";

let registry: EmbeddedTestRegistry;
let gate: Gate;
let project: TestProject;
beforeAll(async () => {
  registry = await startEmbedded();
  gate = await startGate(registry.host);
  project = testProject(shopFiles);
  project.commit("first");
});
afterAll(async () => {
  project.dispose();
  await gate.stop();
  await registry.stop();
});

const run = (...argv: string[]): Promise<CliResult> =>
  werf(argv, { cwd: project.directory, home: project.home });

it("a second build of the same content asks for one listing and once for each image, and sends nothing", async () => {
  const repo = `${gate.host}/requests/shop`;
  expect(await run("build", "--repo", repo)).toMatchObject({ exitCode: 0 });
  gate.reset();
  expect(await run("build", "--repo", repo)).toMatchObject({ exitCode: 0 });
  expect(
    gate.seen.map(({ method, path }) => `${method} ${path.replace(/[0-9a-f]{56}-\d{13}/, "STAGE")}`),
  ).toEqual([
    "GET /v2/requests/shop/tags/list?n=1000",
    "GET /v2/requests/shop/manifests/STAGE",
    "GET /v2/requests/shop/manifests/STAGE",
  ]);
});
