import { tmpdir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { systemClock } from "../core/clock.js";
import type { WerfEvent } from "../core/events.js";
import { createRedactor } from "../core/redactor.js";
import type { Clock, RunContext } from "../core/run-context.js";
import { createExec } from "../core/spawn.js";
import { createTemporaryDirectories } from "../core/temporary.js";
import { createHttpClient } from "../http/client.js";

export interface RunSettings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  readonly homeDir?: string | undefined;
  readonly tmpDir?: string | undefined;
  readonly caFile?: string | undefined;
  /** Registries whose certificates are not verified. */
  readonly skipTlsVerifyHosts: ReadonlySet<string>;
  readonly signal: AbortSignal;
  readonly clock?: Clock | undefined;
  readonly idleTimeoutMs?: number | undefined;
  emit(event: WerfEvent): void;
}

export interface DisposableRun {
  readonly run: RunContext;
  /** Closes connections and removes temporary directories. */
  dispose(): Promise<void>;
}

/** The composition root: the one place where the parts of a run are put together. */
export function createRunContext(settings: RunSettings): DisposableRun {
  const { env, cwd, home, signal, clock = systemClock } = settings;
  const secrets = createRedactor();
  const absolute = (path: string): string => (isAbsolute(path) ? path : resolve(cwd, path));
  const temporary = createTemporaryDirectories(absolute(settings.tmpDir ?? tmpdir()));
  const http = createHttpClient({
    env,
    signal,
    secrets,
    clock,
    emit: settings.emit,
    skipTlsVerifyHosts: settings.skipTlsVerifyHosts,
    ...(settings.idleTimeoutMs === undefined ? {} : { idleTimeoutMs: settings.idleTimeoutMs }),
    ...(settings.caFile === undefined ? {} : { caFile: absolute(settings.caFile) }),
  });
  const run: RunContext = {
    http,
    env,
    cwd,
    home,
    werfHome: join(absolute(settings.homeDir ?? join(home, ".werf")), "ts"),
    tmp: () => temporary.create(),
    clock,
    exec: createExec({ env, cwd, signal }),
    signal,
    emit: settings.emit,
    secrets,
  };
  return {
    run,
    async dispose() {
      await http.close();
      await temporary.removeAll();
    },
  };
}
