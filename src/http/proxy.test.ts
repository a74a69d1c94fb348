import { expect, test } from "vitest";
import { createRedactor } from "../core/redactor.js";
import { proxyRules } from "./proxy.js";

function proxyOf(env: Record<string, string>, url: string): string | undefined {
  return proxyRules(env, createRedactor()).proxyOf(new URL(url))?.host;
}

test("each scheme has its own proxy, and the other's is not taken instead", () => {
  const env = { HTTPS_PROXY: "http://secure:1", http_proxy: "plain:2" };
  expect(proxyOf(env, "https://registry.example/")).toBe("secure:1");
  expect(proxyOf(env, "http://registry.example/")).toBe("plain:2");
  expect(proxyOf({ HTTP_PROXY: "http://p:1" }, "https://registry.example/")).toBeUndefined();
});

test.each([
  ["registry.example", "https://registry.example/", true],
  ["registry.example", "https://eu.registry.example/", true],
  ["registry.example", "https://otherregistry.example/", false],
  [".example", "https://registry.example/", true],
  [".registry.example", "https://registry.example/", false],
  ["*.example", "https://registry.example/", true],
  ["registry.example:5000", "https://registry.example:5000/", true],
  ["registry.example:5000", "https://registry.example/", false],
  ["registry.example:443", "https://registry.example/", true],
  ["10.0.0.0/8", "https://10.1.2.3/", true],
  ["10.0.0.0/8", "https://11.1.2.3/", false],
  ["192.168.0.7", "https://192.168.0.7:5000/", true],
  ["fd00::/8", "https://[fd00::1]/", true],
  ["a, *", "https://anything.example/", true],
  ["REGISTRY.example", "https://registry.EXAMPLE/", true],
  ["10.0.0.0/99", "https://10.1.2.3/", false],
])("NO_PROXY=%s and %s: direct is %s", (noProxy, url, direct) => {
  const found = proxyOf({ HTTPS_PROXY: "http://p:1", NO_PROXY: noProxy }, url);
  expect(found).toBe(direct ? undefined : "p:1");
});

test("loopback and the metadata services of the clouds never go through a proxy", () => {
  const env = { HTTP_PROXY: "http://p:1" };
  for (const host of [
    "localhost",
    "127.0.0.1:5000",
    "[::1]",
    "169.254.169.254",
    "[fd00:ec2::254]",
    "metadata.google.internal",
  ]) {
    expect(proxyOf(env, `http://${host}/`)).toBeUndefined();
  }
});

test("a value that is no address is refused without showing it; a password is kept secret", () => {
  expect(() => proxyOf({ HTTPS_PROXY: "ftp://u:hunter2@p" }, "https://r.example")).toThrow(
    /^the value of HTTPS_PROXY is not the address of a proxy$/,
  );
  const secrets = createRedactor();
  proxyRules({ HTTPS_PROXY: "http://u:hunter2@p:1" }, secrets);
  expect(secrets.redact("hunter2")).toBe("***");
});
