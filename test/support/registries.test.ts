import { describe, expect, onTestFinished, test } from "vitest";
import { isMissing, startDockerRegistry, startEmbedded, type TestRegistry } from "./registries.js";

describe.each<[string, () => Promise<TestRegistry | { missing: string }>]>([
  ["embedded", startEmbedded],
  ["docker-registry", startDockerRegistry],
])("the %s registry of a test", (kind, start) => {
  test("answers when it has started, is alone, and has gone when it is stopped", async ({ skip }) => {
    const started = await Promise.all([start(), start()]);
    for (const registry of started) {
      if (!isMissing(registry)) onTestFinished(() => registry.stop());
    }
    const [first, second] = started;
    if (first === undefined || second === undefined) throw new Error("not started");
    if (isMissing(first)) return skip(first.missing);
    if (isMissing(second)) return skip(second.missing);
    expect([first.kind, second.kind]).toEqual([kind, kind]);
    expect(first.host).not.toBe(second.host);
    const begun = await fetch(`http://${first.host}/v2/app/blobs/uploads/`, { method: "POST" });
    expect(begun.status).toBe(202);
    await first.stop();
    await expect(fetch(`http://${first.host}/v2/`)).rejects.toThrow();
    expect((await fetch(`http://${second.host}/v2/_catalog`)).status).toBe(200);
  });
});
