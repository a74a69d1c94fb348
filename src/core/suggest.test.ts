import { expect, it } from "vitest";
import { didYouMean, nearest } from "./suggest.js";

it.each([
  ["imagee", ["image", "images2", "target"], "image"],
  ["dockerfil", ["dockerfile", "target"], "dockerfile"],
  ["imgae", ["image"], "image"],
  ["Image", ["image", "imag"], "image"],
  ["FRMO", ["FROM", "RUN"], "FROM"],
  ["tag", ["tags"], "tags"],
])("takes %s for one of %j", (word, candidates, expected) => {
  expect(nearest(word, candidates)).toBe(expected);
});

it.each([
  ["xyz", ["image", "target"]],
  ["", ["image"]],
  ["a", []],
  ["context", ["contextAddFiles"]],
])("makes no guess for %j among %j", (word, candidates) => {
  expect(nearest(word, candidates)).toBeUndefined();
  expect(didYouMean(word, candidates)).toBe("");
});

it("takes the nearest of several", () => {
  expect(nearest("platfrm", ["plats", "platform", "platforms"])).toBe("platform");
  expect(didYouMean("platfrm", ["platform"])).toBe('; did you mean "platform"?');
});
