import { send } from "./answer.js";
import type { Exchange } from "./exchange.js";

/** Whether the server answers: for load balancers and orchestrators, without a password. */
export function getHealth({ response }: Exchange): Promise<void> {
  send(response, 200, { "content-type": "text/plain" }, Buffer.from("ok\n"));
  return Promise.resolve();
}

/** What Prometheus scrapes. */
export function getMetrics({ response, service }: Exchange): Promise<void> {
  const text = service.metrics.render(service.uploads.count);
  send(response, 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }, Buffer.from(text));
  return Promise.resolve();
}
