import { expect, it } from "vitest";
import { mapConcurrently } from "./concurrency.js";

it("keeps the order of the items and the bound on how many run", async () => {
  let running = 0;
  let most = 0;
  const results = await mapConcurrently([5, 4, 3, 2, 1], 2, async (n) => {
    most = Math.max(most, ++running);
    for (let i = 0; i < n; i++) await Promise.resolve();
    running--;
    return n * 10;
  });
  expect(results).toEqual([50, 40, 30, 20, 10]);
  expect(most).toBe(2);
});

it("starts nothing after a failure, and throws it when the running ones have ended", async () => {
  const begun: number[] = [];
  const ended: number[] = [];
  const work = mapConcurrently([1, 2, 3, 4], 2, async (n) => {
    begun.push(n);
    if (n === 1) throw new Error("first");
    await Promise.resolve();
    await Promise.resolve();
    ended.push(n);
  });
  await expect(work).rejects.toThrow("first");
  expect(ended).toEqual(begun.filter((n) => n !== 1));
  expect(begun).not.toContain(4);
});
