import type { IncomingMessage, ServerResponse } from "node:http";
import type { WerfEvent } from "../../core/events.js";
import {
  describeFailure,
  ProtocolError,
  protocolErrorOf,
  send,
  sendError,
  sendInternalError,
  sendJson,
} from "./answer.js";
import { deleteBlob, getBlob } from "./blob-routes.js";
import type { Exchange, Service } from "./exchange.js";
import { listCatalog, listReferrers, listTags } from "./list-routes.js";
import { deleteManifest, getManifest, putManifest } from "./manifest-routes.js";
import type { Observation } from "./metrics.js";
import { getHealth, getMetrics } from "./operator-routes.js";
import type { PasswordFile } from "./password-file.js";
import { healthPath, type Route, type RouteOf, routeOf } from "./route.js";
import { deleteUpload, getUpload, patchUpload, postUpload, putUpload } from "./upload-routes.js";

type Handler<K extends Route["kind"]> = (exchange: Exchange, route: RouteOf<K>) => Promise<void>;
type Methods<K extends Route["kind"]> = Readonly<Record<string, Handler<K>>>;

/** The whole API: what can be done where. */
const api: { readonly [K in Route["kind"]]: Methods<K> } = {
  health: { GET: getHealth, HEAD: getHealth },
  metrics: { GET: getMetrics, HEAD: getMetrics },
  base: { GET: ping, HEAD: ping },
  catalog: { GET: listCatalog, HEAD: listCatalog },
  blob: { GET: getBlob, HEAD: getBlob, DELETE: deleteBlob },
  uploads: { POST: postUpload },
  upload: { GET: getUpload, PATCH: patchUpload, PUT: putUpload, DELETE: deleteUpload },
  manifest: { GET: getManifest, HEAD: getManifest, PUT: putManifest, DELETE: deleteManifest },
  tags: { GET: listTags, HEAD: listTags },
  referrers: { GET: listReferrers, HEAD: listReferrers },
};

const reading = ["GET", "HEAD"];

/** end-1. */
function ping({ response }: Exchange): Promise<void> {
  sendJson(response, 200, {});
  return Promise.resolve();
}

export interface HandlerOptions {
  readonly service: Service;
  /** Lets in who is known; absent: everybody. */
  readonly users?: PasswordFile;
  readonly emit: (event: WerfEvent) => void;
}

/** Answers one request, whatever comes; a failure of the registry itself is a warning and status 500. */
export async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  options: HandlerOptions,
): Promise<void> {
  response.setHeader("docker-distribution-api-version", "registry/2.0");
  response.setHeader("x-content-type-options", "nosniff");
  const observation = options.service.metrics.observe(request, response);
  try {
    await dispatch(request, response, options, observation);
  } catch (error) {
    // The client has gone, or already has the beginning of another answer: it learns of the rest by the lost connection.
    if (response.headersSent || request.errored || response.destroyed) {
      response.destroy();
      return;
    }
    const known = protocolErrorOf(error);
    if (known !== undefined) {
      sendError(response, known);
    } else {
      const message = `${request.method} ${request.url}: ${describeFailure(error)}`;
      options.emit({ code: "warning", id: "embedded-registry/internal", message });
      sendInternalError(response, error);
    }
  }
}

async function dispatch(
  request: IncomingMessage,
  response: ServerResponse,
  options: HandlerOptions,
  observation: Observation,
): Promise<void> {
  const target = request.url ?? "";
  const mark = target.indexOf("?");
  const path = mark === -1 ? target : target.slice(0, mark);
  // Asked first, so that nobody else learns even which paths there are.
  if (path !== healthPath) await options.users?.authenticate(request);
  const route = routeOf(path);
  observation.route = route?.kind ?? "unknown";
  if (route === undefined) {
    send(response, 404, { "content-type": "text/plain" }, Buffer.from("404: not a path of /v2/\n"));
    return;
  }
  const method = request.method ?? "";
  const { readOnly } = options.service;
  const methods = Object.keys(api[route.kind]).filter((m) => !readOnly || reading.includes(m));
  if (!methods.includes(method)) {
    const why = readOnly && method in api[route.kind] ? "the registry is read-only" : `no ${method} here`;
    throw new ProtocolError(405, "UNSUPPORTED", why, { headers: { allow: methods.join(", ") } });
  }
  const query = new URLSearchParams(mark === -1 ? "" : target.slice(mark + 1));
  await run({ service: options.service, request, response, path, query }, route, method);
  options.emit({ code: "note", level: "debug", message: `${method} ${path}: ${response.statusCode}` });
}

function run<K extends Route["kind"]>(exchange: Exchange, route: RouteOf<K>, method: string): Promise<void> {
  const methods: Methods<K> = api[route.kind];
  const handler = methods[method];
  return handler === undefined ? Promise.resolve() : handler(exchange, route);
}
