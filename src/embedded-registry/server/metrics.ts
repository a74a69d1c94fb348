import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";

/** Upper bounds in seconds; a large blob takes minutes. */
const bounds = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 300];
const methods: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);

interface Histogram {
  readonly labels: string;
  /** Observations up to each bound, and beyond the last. */
  readonly counts: number[];
  sum: number;
}

interface Traffic {
  received: number;
  sent: number;
}

/** A request being answered; `route` is filled in when it is known. */
export interface Observation {
  route: string;
}

/** Counts what a server does. Labels are routes, never names of repositories, so there are few and none is told. */
export class Metrics {
  readonly #requests = new Map<string, number>();
  readonly #durations = new Map<string, Histogram>();
  readonly #traffic = new WeakMap<Socket, Traffic>();
  #inFlight = 0;
  #received = 0;
  #sent = 0;

  /** Follows a request until its answer has gone, or its client has. */
  observe(request: IncomingMessage, response: ServerResponse): Observation {
    const observation: Observation = { route: "unknown" };
    const started = performance.now();
    this.#inFlight += 1;
    response.once("close", () => {
      this.#inFlight -= 1;
      const method = methods.has(request.method ?? "") ? request.method : "other";
      const labels = `method="${method}",route="${observation.route}"`;
      // As nginx has it: the client went before it was given a status.
      const status = response.headersSent ? response.statusCode : 499;
      const key = `${labels},status="${status}"`;
      this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
      this.#addDuration(labels, (performance.now() - started) / 1000);
      this.#addTraffic(request.socket);
    });
    return observation;
  }

  #addDuration(labels: string, seconds: number): void {
    let histogram = this.#durations.get(labels);
    if (histogram === undefined) {
      histogram = { labels, counts: [...bounds.map(() => 0), 0], sum: 0 };
      this.#durations.set(labels, histogram);
    }
    const found = bounds.findIndex((bound) => seconds <= bound);
    const bucket = found === -1 ? bounds.length : found;
    histogram.counts[bucket] = (histogram.counts[bucket] ?? 0) + 1;
    histogram.sum += seconds;
  }

  /** What passed a connection since the last request on it. */
  #addTraffic(socket: Socket): void {
    const before = this.#traffic.get(socket) ?? { received: 0, sent: 0 };
    const now = { received: socket.bytesRead, sent: socket.bytesWritten };
    this.#received += now.received - before.received;
    this.#sent += now.sent - before.sent;
    this.#traffic.set(socket, now);
  }

  /** Prometheus' text format 0.0.4. */
  render(uploads: number): string {
    return [
      ...family("requests_total", "counter", "Requests answered, by what they asked for."),
      ...[...this.#requests].map(([labels, count]) => `${prefix}requests_total{${labels}} ${count}`),
      ...family(
        "request_duration_seconds",
        "histogram",
        "Time from the head of a request to the end of its answer.",
      ),
      ...[...this.#durations.values()].flatMap(renderHistogram),
      ...family(
        "received_bytes_total",
        "counter",
        "Bytes that clients sent, with the heads of their requests.",
      ),
      `${prefix}received_bytes_total ${this.#received}`,
      ...family("sent_bytes_total", "counter", "Bytes sent to clients, with the heads of the answers."),
      `${prefix}sent_bytes_total ${this.#sent}`,
      ...family("requests_in_flight", "gauge", "Requests being answered, this one included."),
      `${prefix}requests_in_flight ${this.#inFlight}`,
      ...family("uploads_in_flight", "gauge", "Uploads that have begun and not ended."),
      `${prefix}uploads_in_flight ${uploads}`,
      "",
    ].join("\n");
  }
}

const prefix = "werf_registry_";

function family(name: string, type: string, help: string): string[] {
  return [`# HELP ${prefix}${name} ${help}`, `# TYPE ${prefix}${name} ${type}`];
}

function renderHistogram({ labels, counts, sum }: Histogram): string[] {
  const name = `${prefix}request_duration_seconds`;
  let total = 0;
  const buckets = [...bounds.map(String), "+Inf"].map((bound, i) => {
    total += counts[i] ?? 0;
    return `${name}_bucket{${labels},le="${bound}"} ${total}`;
  });
  return [...buckets, `${name}_sum{${labels}} ${sum}`, `${name}_count{${labels}} ${total}`];
}
