import { afterEach, beforeEach } from "vitest";
import { openRegistry, type Registry } from "../../src/registry/client/registry.js";
import { type Handler, serveHttp, type TestServer } from "./http-server.js";
import { type TestRun, testRun } from "./run-context.js";

export interface ServedRegistry {
  /** The repository `app`. */
  readonly store: Registry;
  readonly server: TestServer;
  /** Requests but the pings for the scheme. */
  asked(): string[];
}

export interface RegistryClient {
  /** The run of the test that is running; it never waits. */
  readonly run: TestRun;
  /** A registry that answers as the test says, and its client. */
  serve(handler: Handler): Promise<ServedRegistry>;
  /** A server that ends with the test. */
  serveOther(handler: Handler): Promise<TestServer>;
}

/** For the tests of a file: each has a run and servers of its own. */
export function useRegistryClient(access: "pull" | "push" | "delete"): RegistryClient {
  let current: TestRun | undefined;
  const servers: TestServer[] = [];
  beforeEach(async () => {
    current = await testRun({ clock: { now: () => new Date(), sleep: async () => undefined } });
  });
  afterEach(async () => {
    await current?.dispose();
    for (const server of servers.splice(0)) server.close();
  });
  const serveOther = async (handler: Handler): Promise<TestServer> => {
    const server = await serveHttp(handler);
    servers.push(server);
    return server;
  };
  const client: RegistryClient = {
    get run() {
      if (current === undefined) throw new Error("no test is running");
      return current;
    },
    async serve(handler) {
      const server = await serveOther((request, response) => {
        if (request.url === "/v2/") return void response.end("{}");
        return handler(request, response);
      });
      return {
        server,
        store: openRegistry(client.run, { host: server.host, name: "app" }, { insecure: false, access }),
        asked: () => server.requests.filter((r) => r !== "GET /v2/"),
      };
    },
    serveOther,
  };
  return client;
}
