import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

export interface Measured {
  readonly ms: number;
  /** Peak resident memory in MiB; of the process itself, not of its children. */
  readonly peakMiB: number;
}

/** Runs a program to its end. @throws when it fails */
export function measure(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  cwd?: string,
): Promise<Measured> {
  return new Promise((resolve, reject) => {
    const started = process.hrtime.bigint();
    const child = spawn(file, args, {
      env,
      stdio: ["ignore", "ignore", "pipe"],
      ...(cwd === undefined ? {} : { cwd }),
    });
    let stderr = "";
    let peakKiB = 0;
    child.stderr.on("data", (chunk: Buffer) => {
      stderr = (stderr + chunk.toString()).slice(-4000);
    });
    const sample = (): void => {
      try {
        const high = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1];
        peakKiB = Math.max(peakKiB, Number(high ?? 0));
      } catch {
        // It has ended.
      }
    };
    const timer = setInterval(sample, 25);
    child.once("error", reject);
    child.once("close", (code) => {
      clearInterval(timer);
      const ms = Number(process.hrtime.bigint() - started) / 1e6;
      if (code === 0) resolve({ ms, peakMiB: peakKiB / 1024 });
      else reject(new Error(`${file} ${args.join(" ")} exited with ${code}: ${stderr}`));
    });
  });
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Ours and the peer's in turn, so that whatever else the machine does hits both. */
export async function interleave(
  rounds: number,
  ours: (round: number) => Promise<Measured>,
  peer: (round: number) => Promise<Measured>,
): Promise<{ readonly ours: Measured; readonly peer: Measured; readonly ratio: number }> {
  const a: Measured[] = [];
  const b: Measured[] = [];
  for (let round = 0; round < rounds; round++) {
    a.push(await ours(round));
    b.push(await peer(round));
  }
  const summary = (all: readonly Measured[]): Measured => ({
    ms: median(all.map(({ ms }) => ms)),
    peakMiB: Math.max(...all.map(({ peakMiB }) => peakMiB)),
  });
  const [mine, theirs] = [summary(a), summary(b)];
  return { ours: mine, peer: theirs, ratio: mine.ms / theirs.ms };
}
