import { join } from "node:path";
import { openLayoutDirectory } from "../../src/oci/layout/layout-directory.js";
import { createLayoutTar } from "../../src/oci/layout/layout-tar-writer.js";
import { testRun } from "../support/run-context.js";
import { storeContract } from "./store-contract.js";

const lacks = { mount: "a layout has no other repository to take a blob from" };

storeContract("layout in a directory", async () => {
  const run = await testRun();
  const store = await openLayoutDirectory(run, "layout", "write");
  return { store, capabilities: { lacks }, dispose: () => run.dispose() };
});

storeContract("layout for a tar file", async () => {
  const run = await testRun();
  const store = await createLayoutTar(run, join(run.cwd, "layout.tar"));
  return { store, capabilities: { lacks }, dispose: () => run.dispose() };
});
