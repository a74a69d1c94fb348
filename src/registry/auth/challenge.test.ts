import { expect, test } from "vitest";
import { parseChallenges } from "./challenge.js";

test.each([
  ["", []],
  ["Basic", [{ scheme: "basic", parameters: {} }]],
  ['Basic realm="a, b=\\"c\\""', [{ scheme: "basic", parameters: { realm: 'a, b="c"' } }]],
  [
    'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push repository:c:pull"',
    [
      {
        scheme: "bearer",
        parameters: {
          realm: "https://auth.example/token",
          service: "registry.example",
          scope: "repository:a/b:pull,push repository:c:pull",
        },
      },
    ],
  ],
  [
    'Negotiate, Negotiate dG9rZW4=, Bearer realm = "https://a/t" , error=invalid_token, Basic Realm=x',
    [
      { scheme: "negotiate", parameters: {} },
      { scheme: "negotiate", parameters: {} },
      { scheme: "bearer", parameters: { realm: "https://a/t", error: "invalid_token" } },
      { scheme: "basic", parameters: { realm: "x" } },
    ],
  ],
  ['Bearer realm="unfinished', [{ scheme: "bearer", parameters: {} }]],
  ["Bearer realm=", [{ scheme: "bearer", parameters: {} }]],
  ['Bearer realm="first",realm="second"', [{ scheme: "bearer", parameters: { realm: "first" } }]],
])("%s", (header, challenges) => {
  expect(parseChallenges(header)).toEqual(challenges);
});
