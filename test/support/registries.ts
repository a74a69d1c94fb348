import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { systemClock } from "../../src/core/clock.js";
import type { WerfEvent } from "../../src/core/events.js";
import {
  type RegistryOptions,
  type RunningRegistry,
  startRegistry,
} from "../../src/embedded-registry/server/server.js";

/** A registry of a test's own, on 127.0.0.1, with an empty temporary directory behind it. */
export interface TestRegistry {
  readonly kind: "embedded" | "docker-registry";
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** Stops it and removes its directory. */
  stop(): Promise<void>;
}

/** The embedded one, in this process: one can look inside. */
export interface EmbeddedTestRegistry extends TestRegistry {
  readonly kind: "embedded";
  readonly server: RunningRegistry;
  readonly events: readonly WerfEvent[];
}

export interface MissingPeer {
  /** Why the test can't run: the reason of its skip. */
  readonly missing: string;
}

export function isMissing(peer: object): peer is MissingPeer {
  return "missing" in peer;
}

/**
 * The path of another program, or undefined when it isn't there; with CI=true that is a failure, because a skipped
 * suite would look like a passed one.
 */
export function requirePeer(name: string): string | undefined {
  for (const directory of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this directory.
    }
  }
  if (process.env["CI"] === "true") throw new Error(`CI=true, and the program "${name}" is not on PATH`);
  return undefined;
}

export async function startEmbedded(options: Partial<RegistryOptions> = {}): Promise<EmbeddedTestRegistry> {
  const root = await mkdtemp(join(tmpdir(), "werf-ts-registry-"));
  const events: WerfEvent[] = [];
  const server = await startRegistry({
    root,
    listen: { host: "127.0.0.1", port: 0 },
    clock: systemClock,
    emit: (event) => void events.push(event),
    signal: new AbortController().signal,
    durable: false,
    ...options,
  });
  return {
    kind: "embedded",
    host: server.host,
    server,
    events,
    async stop() {
      await server.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

export interface DockerRegistryOptions {
  /** Lines of an htpasswd file with bcrypt: it asks for Basic then. Default: everybody is let in. */
  readonly passwords?: string;
}

/** CNCF distribution as Debian packs it (2.8), with deletion switched on. */
export async function startDockerRegistry(
  options: DockerRegistryOptions = {},
): Promise<TestRegistry | MissingPeer> {
  const program = requirePeer("docker-registry");
  if (program === undefined) return { missing: "docker-registry is not installed" };
  const directory = await mkdtemp(join(tmpdir(), "werf-ts-docker-registry-"));
  for (let attempt = 1; ; attempt++) {
    const host = `127.0.0.1:${await freePort()}`;
    const config = join(directory, "config.yml");
    const passwords = options.passwords === undefined ? undefined : join(directory, "htpasswd");
    if (passwords !== undefined) await writeFile(passwords, options.passwords ?? "");
    await writeFile(config, dockerRegistryConfig(host, join(directory, "data"), passwords));
    const child = spawn(program, ["serve", config], { stdio: ["ignore", "ignore", "pipe"] });
    const started = await waitUntilReady(host, child);
    if (started.kind === "ready") {
      return {
        kind: "docker-registry",
        host,
        async stop() {
          await end(child);
          await rm(directory, { recursive: true, force: true });
        },
      };
    }
    await end(child);
    // Another process may have taken the port since it was found free.
    if (attempt === 3) {
      await rm(directory, { recursive: true, force: true });
      throw new Error(`docker-registry didn't start: ${started.log}`);
    }
  }
}

function dockerRegistryConfig(host: string, directory: string, passwords: string | undefined): string {
  const auth =
    passwords === undefined
      ? ""
      : `auth: { htpasswd: { realm: Test, path: ${JSON.stringify(passwords)} } }\n`;
  return `version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage:
  filesystem: { rootdirectory: ${JSON.stringify(directory)} }
  delete: { enabled: true }
  maintenance: { uploadpurging: { enabled: false } }
http: { addr: ${JSON.stringify(host)}, secret: of-a-test }
${auth}`;
}

async function waitUntilReady(
  host: string,
  child: ChildProcess,
): Promise<{ kind: "ready" } | { kind: "ended"; log: string }> {
  let log = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-4000);
  });
  const deadline = Date.now() + 20_000;
  while (child.exitCode === null && child.signalCode === null && Date.now() < deadline) {
    try {
      const response = await fetch(`http://${host}/v2/`);
      await response.arrayBuffer();
      if (response.ok || response.status === 401) return { kind: "ready" };
    } catch {
      // Not listening yet.
    }
    await wait(20);
  }
  return { kind: "ended", log };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  await exited;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}
