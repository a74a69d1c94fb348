import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "./run-context.js";

export const systemClock: Clock = {
  now: () => new Date(),
  sleep: (ms, signal) => sleep(ms, undefined, signal === undefined ? {} : { signal }),
};
