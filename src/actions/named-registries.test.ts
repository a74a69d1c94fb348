import { expect, it } from "vitest";
import { namedHosts } from "./named-registries.js";

it("finds the hosts of all addresses, and none in files and in what is no address", () => {
  const hosts = namedHosts({
    repo: "registry.test:5000/app",
    finalRepo: "other.test/app",
    from: "archive:registry.invalid/file.tar",
    to: "not an address",
  });
  expect([...hosts]).toEqual(["registry.test:5000", "other.test"]);
  expect([...namedHosts({ from: "registry.test/app:1", to: "registry.test/copy" })]).toEqual([
    "registry.test",
  ]);
});
