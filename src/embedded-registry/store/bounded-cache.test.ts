import { expect, test } from "vitest";
import { BoundedCache } from "./bounded-cache.js";

test("what was used longest ago goes first", () => {
  const cache = new BoundedCache<string>(10);
  cache.set("a", "A", 4);
  cache.set("b", "B", 4);
  expect(cache.get("a")).toBe("A");
  cache.set("c", "C", 4);
  expect([cache.get("a"), cache.get("b"), cache.get("c")]).toEqual(["A", undefined, "C"]);
});

test("the weight of what is replaced or deleted is free again", () => {
  const cache = new BoundedCache<number>(10);
  for (let i = 0; i < 5; i++) cache.set("same", i, 9);
  cache.delete("same");
  cache.set("a", 1, 5);
  cache.set("b", 2, 5);
  expect([cache.get("a"), cache.get("b")]).toEqual([1, 2]);
});

test("what is heavier than the whole is not kept", () => {
  const cache = new BoundedCache<number>(10);
  cache.set("a", 1, 5);
  cache.set("heavy", 2, 11);
  expect([cache.get("a"), cache.get("heavy")]).toEqual([1, undefined]);
});
