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

type EventOf<C extends WerfEvent["code"]> = Extract<WerfEvent, { code: C }>;

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
  const printer = new Printer(options);
  return (event) => printer.print(event);
}

class Printer {
  readonly #options: PrinterOptions;
  readonly #colors: ReturnType<typeof pc.createColors>;
  readonly #tasks = new Map<string, Task>();

  constructor(options: PrinterOptions) {
    this.#options = options;
    this.#colors = pc.createColors(options.color);
  }

  print(event: WerfEvent): void {
    switch (event.code) {
      case "task/started":
        return this.#started(event);
      case "task/progress":
        return this.#progress(event);
      case "task/ended":
        return this.#ended(event);
      case "note":
        return this.#note(event);
      case "warning":
        return this.#warning(event);
      case "http/retry":
        return this.#retry(event);
    }
  }

  #started(event: EventOf<"task/started">): void {
    const depth = this.#depthBelow(event.parent);
    this.#tasks.set(event.task, { title: event.title, depth, startedAt: this.#options.now(), bytes: 0 });
    const level = this.#options.level;
    // Of nested work, its end is enough.
    if (level !== "quiet" && (depth === 0 || level !== "normal"))
      this.#line(depth, this.#colors.dim(`… ${event.title}`));
  }

  #progress({ task, bytes }: EventOf<"task/progress">): void {
    const known = this.#tasks.get(task);
    if (known !== undefined) known.bytes += bytes;
  }

  #ended({ task: id, result, detail, bytes: travelled }: EventOf<"task/ended">): void {
    const task = this.#tasks.get(id);
    this.#tasks.delete(id);
    if (task === undefined || this.#options.level === "quiet") return;
    const { green, cyan, red, dim } = this.#colors;
    const marks = { done: green("✓"), cached: cyan("="), failed: red("✗") };
    const sum = travelled ?? task.bytes;
    const bytes = sum > 0 ? [formatBytes(sum)] : [];
    const seconds = ((this.#options.now() - task.startedAt) / 1000).toFixed(2);
    const facts = [...(detail === undefined ? [] : [detail]), ...bytes, `${seconds} s`];
    this.#line(task.depth, `${marks[result]} ${task.title} ${dim(`(${facts.join(", ")})`)}`);
  }

  #note({ level, task, message }: EventOf<"note">): void {
    if (!shown[this.#options.level].includes(level)) return;
    const depth = this.#depthBelow(task);
    for (const text of message.split("\n"))
      this.#line(depth, level === "info" ? text : this.#colors.dim(text));
  }

  #warning({ message, hint }: EventOf<"warning">): void {
    this.#line(0, this.#colors.yellow(`Warning: ${message}`));
    if (hint !== undefined) this.#line(0, this.#colors.dim(`  ${hint}`));
  }

  #retry({ host, because, attempt, delayMs }: EventOf<"http/retry">): void {
    if (this.#options.level === "quiet") return;
    const seconds = (delayMs / 1000).toFixed(1);
    this.#line(0, this.#colors.dim(`${host}: ${because}; try ${attempt + 1} in ${seconds} s`));
  }

  #depthBelow(task: string | undefined): number {
    return task === undefined ? 0 : (this.#tasks.get(task)?.depth ?? -1) + 1;
  }

  #line(depth: number, text: string): void {
    this.#options.write(`${"  ".repeat(depth)}${text}\n`);
  }
}
