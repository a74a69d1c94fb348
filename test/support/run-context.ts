import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/core/clock.js";
import type { WerfEvent } from "../../src/core/events.js";
import { createRedactor } from "../../src/core/redactor.js";
import type { RunContext } from "../../src/core/run-context.js";
import { createExec } from "../../src/core/spawn.js";
import { createTemporaryDirectories } from "../../src/core/temporary.js";
import { createHttpClient } from "../../src/http/client.js";

export interface TestRun extends RunContext {
  readonly events: readonly WerfEvent[];
  dispose(): Promise<void>;
}

/** A run with a home of its own below the temporary directory; `dispose` leaves nothing behind. */
export async function testRun(overrides: Partial<RunContext> = {}): Promise<TestRun> {
  const base = await mkdtemp(join(tmpdir(), "werf-ts-test-"));
  const temporary = createTemporaryDirectories(base);
  const home = join(base, "home");
  await mkdir(home);
  const events: WerfEvent[] = [];
  const env = overrides.env ?? { PATH: process.env["PATH"], HOME: home };
  const signal = overrides.signal ?? new AbortController().signal;
  const secrets = overrides.secrets ?? createRedactor();
  const clock = overrides.clock ?? systemClock;
  const emit = (event: WerfEvent): void => void events.push(event);
  const http = overrides.http ?? createHttpClient({ env, signal, secrets, clock, emit });
  return {
    env,
    home,
    signal,
    secrets,
    clock,
    emit,
    http,
    events,
    cwd: base,
    werfHome: join(home, ".werf", "ts"),
    tmp: () => temporary.create(),
    exec: createExec({ env, cwd: base, signal }),
    ...overrides,
    async dispose() {
      await http.close();
      await rm(base, { recursive: true, force: true });
    },
  };
}
