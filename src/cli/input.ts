import { once } from "node:events";
import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { WerfError } from "../core/errors.js";

/** Standard input, as Node has it. */
export interface InputStream extends Readable {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
}

/** What the user types or pipes in. */
export interface Input {
  /** Whether there is somebody to ask. */
  readonly isTerminal: boolean;
  /** Everything, to its end. @throws WerfError `cli/input-too-long` */
  readAll(): Promise<string>;
  /** One line that is typed; without `echo` nobody sees it. @throws WerfError `cli/interrupted`, `cli/input-ended` */
  ask(question: string, options: { readonly echo: boolean }): Promise<string>;
}

export interface InputOptions {
  /** Called when it is needed: a standard input that was opened keeps the process alive. */
  readonly stream: () => InputStream | undefined;
  readonly signal: AbortSignal;
  /** Where questions are shown. */
  write(text: string): void;
}

const maxLength = 64 * 1024;

export function createInput(options: InputOptions): Input {
  let typed: Typed | undefined;
  return {
    get isTerminal() {
      return options.stream()?.isTTY === true;
    },
    async readAll() {
      const stream = options.stream();
      const chunks: Buffer[] = [];
      let length = 0;
      for await (const chunk of stream ?? []) {
        options.signal.throwIfAborted();
        chunks.push(Buffer.from(chunk as Uint8Array));
        length += (chunk as Uint8Array).length;
        if (length > maxLength) {
          throw new WerfError("cli/input-too-long", `standard input has more than ${maxLength} bytes`, {
            exitCode: 2,
          });
        }
      }
      return Buffer.concat(chunks).toString("utf8");
    },
    async ask(question, { echo }) {
      const stream = options.stream();
      if (stream === undefined) throw ended();
      typed ??= new Typed(stream);
      // First, because a terminal shows what is typed as soon as the question is seen.
      stream.setRawMode?.(true);
      stream.resume();
      options.write(question);
      try {
        return await typed.line(echo ? options.write : () => undefined, options.signal);
      } finally {
        stream.setRawMode?.(false);
        stream.pause();
        options.write("\n");
      }
    },
  };
}

const key = {
  interrupt: "\u0003",
  end: "\u0004",
  backspace: "\b",
  delete: "\u007f",
  clear: "\u0015",
} as const;

/** Keys as they come from a terminal in raw mode; what is typed ahead is for the next question. */
class Typed {
  readonly #stream: InputStream;
  readonly #decoder: StringDecoder = new StringDecoder("utf8");
  readonly #ahead: string[] = [];

  constructor(stream: InputStream) {
    this.#stream = stream;
    stream.on("data", (chunk: Uint8Array) => {
      this.#ahead.push(...this.#decoder.write(Buffer.from(chunk)));
    });
  }

  async line(show: (text: string) => void, signal: AbortSignal): Promise<string> {
    let line: string[] = [];
    for (;;) {
      const typed = await this.#next(signal);
      if (typed === "\r" || typed === "\n") return line.join("");
      if (typed === key.interrupt) throw interrupted();
      if (typed === key.end && line.length === 0) throw ended();
      if (typed === key.clear) {
        show("\b \b".repeat(line.length));
        line = [];
      } else if (typed === key.backspace || typed === key.delete) {
        if (line.pop() !== undefined) show("\b \b");
      } else if (typed >= " ") {
        line.push(typed);
        show(typed);
      }
    }
  }

  async #next(signal: AbortSignal): Promise<string> {
    while (this.#ahead.length === 0) {
      if (this.#stream.readableEnded || this.#stream.destroyed) throw ended();
      await this.#more(signal);
    }
    return this.#ahead.shift() ?? "";
  }

  async #more(signal: AbortSignal): Promise<void> {
    const done = new AbortController();
    const either = AbortSignal.any([signal, done.signal]);
    const events = ["data", "end", "close"].map((name) => once(this.#stream, name, { signal: either }));
    try {
      await Promise.race(events);
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    } finally {
      done.abort();
      await Promise.allSettled(events);
    }
  }
}

function interrupted(): WerfError {
  return new WerfError("cli/interrupted", "interrupted; nothing was changed", { exitCode: 130 });
}

function ended(): WerfError {
  return new WerfError("cli/input-ended", "standard input ended before the question was answered", {
    exitCode: 2,
  });
}
