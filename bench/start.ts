import { interleave, measure } from "./measure.js";
import { werf } from "./root.js";

/** `werf version` against `node -e 0`. Bound: 1.3. */
export async function benchStart(): Promise<string> {
  const { ours, peer, ratio } = await interleave(
    21,
    () => measure(process.execPath, [werf, "version"]),
    () => measure(process.execPath, ["-e", "0"]),
  );
  return `werf version ${ours.ms.toFixed(0)} ms, node -e 0 ${peer.ms.toFixed(0)} ms, ratio ${ratio.toFixed(2)} (at most 1.3)`;
}
