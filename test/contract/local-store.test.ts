import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openLocalStore } from "../../src/embedded-registry/store/local-store.js";
import { openRegistryRoot } from "../../src/embedded-registry/store/root.js";
import { storeContract } from "./store-contract.js";

storeContract("local store", async () => {
  const werfHome = await mkdtemp(join(tmpdir(), "werf-ts-local-"));
  return {
    store: openLocalStore({ werfHome }, "project"),
    second: openLocalStore({ werfHome }, "another"),
    dispose: () => rm(werfHome, { recursive: true, force: true }),
  };
});

storeContract("repository of a root", async () => {
  const directory = await mkdtemp(join(tmpdir(), "werf-ts-root-"));
  const root = openRegistryRoot(directory, { durable: false });
  return {
    store: root.repository("group/app"),
    second: root.repository("group/app/below"),
    dispose: () => rm(directory, { recursive: true, force: true }),
  };
});

test("the local store says what it is", () => {
  const store = openLocalStore({ werfHome: "/home/of/nobody" }, "project");
  expect(store.address).toBe(":local");
  expect(store.place).toBe(join("/home/of/nobody", "local"));
});
