import pc from "picocolors";
import type { WerfEvent } from "../../core/events.js";
import { formatBytes } from "./bytes.js";

export type LogLevel = "quiet" | "normal" | "verbose" | "debug";

export interface PrinterOptions {
  readonly level: LogLevel;
  readonly color: boolean;
  write(text: string): void;
  /** Milliseconds. */
  now(): number;
}

interface Task {
  readonly title: string;
  readonly depth: number;
  readonly startedAt: number;
  bytes: number;
}

const shown: Readonly<Record<LogLevel, readonly string[]>> = {
  quiet: [],
  normal: ["info"],
  verbose: ["info", "verbose"],
  debug: ["info", "verbose", "debug"],
};

/** Turns events into lines, one an event: what CI logs and pipes want. */
export function createPrinter(options: PrinterOptions): (event: WerfEvent) => void {
  const colors = pc.createColors(options.color);
  const tasks = new Map<string, Task>();
  const line = (depth: number, text: string): void => options.write(`${"  ".repeat(depth)}${text}\n`);
  const tells = options.level !== "quiet";

  function ended(task: Task, event: Extract<WerfEvent, { code: "task/ended" }>): void {
    const seconds = ((options.now() - task.startedAt) / 1000).toFixed(2);
    const marks = { done: colors.green("✓"), cached: colors.cyan("="), failed: colors.red("✗") };
    const facts = [event.detail, task.bytes > 0 ? formatBytes(task.bytes) : undefined, `${seconds} s`].filter(
      (f) => f !== undefined,
    );
    line(task.depth, `${marks[event.result]} ${task.title} ${colors.dim(`(${facts.join(", ")})`)}`);
  }

  return (event) => {
    switch (event.code) {
      case "task/started": {
        const depth = event.parent === undefined ? 0 : (tasks.get(event.parent)?.depth ?? -1) + 1;
        tasks.set(event.task, { title: event.title, depth, startedAt: options.now(), bytes: 0 });
        if (tells && (depth === 0 || options.level !== "normal")) line(depth, colors.dim(`… ${event.title}`));
        return;
      }
      case "task/progress": {
        const task = tasks.get(event.task);
        if (task !== undefined) task.bytes += event.bytes;
        return;
      }
      case "task/ended": {
        const task = tasks.get(event.task);
        tasks.delete(event.task);
        if (task !== undefined && tells) ended(task, event);
        return;
      }
      case "note": {
        if (!shown[options.level].includes(event.level)) return;
        const depth = event.task === undefined ? 0 : (tasks.get(event.task)?.depth ?? -1) + 1;
        for (const text of event.message.split("\n"))
          line(depth, event.level === "info" ? text : colors.dim(text));
        return;
      }
      case "warning":
        line(0, colors.yellow(`Warning: ${event.message}`));
        if (event.hint !== undefined) line(0, colors.dim(`  ${event.hint}`));
        return;
      case "http/retry":
        if (tells)
          line(
            0,
            colors.dim(
              `${event.host}: ${event.because}; try ${event.attempt + 1} in ${(event.delayMs / 1000).toFixed(1)} s`,
            ),
          );
    }
  };
}
