import { expect, it } from "vitest";
import { describeUncommitted } from "./uncommitted.js";

it("counts, and names the first few", () => {
  expect(describeUncommitted(["a"])).toBe("1 uncommitted change: a");
  expect(describeUncommitted(["a", "b", "c", "d", "e", "f"])).toBe("6 uncommitted changes: a, b, c, d, e, …");
});
