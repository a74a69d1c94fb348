import type { RunContext } from "../../../core/run-context.js";

const keptLines = 25;

/** Buildah complains about build args that it gives itself. */
const ownArguments = /^\[Warning\] one or more build args were not consumed: \[(?:TARGET|BUILD)/;

/** Turns what a build prints into notes, line by line, and keeps its end for the message of a failure. */
export class BuildOutput {
  readonly #run: RunContext;
  readonly #task: string | undefined;
  readonly #last: string[] = [];
  readonly #partial = { stdout: "", stderr: "" };
  readonly #decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };

  constructor(run: RunContext, task: string | undefined) {
    this.#run = run;
    this.#task = task;
  }

  take(stream: "stdout" | "stderr", chunk: Uint8Array): void {
    const text = this.#partial[stream] + this.#decoders[stream].decode(chunk, { stream: true });
    const lines = text.split("\n");
    this.#partial[stream] = lines.pop() ?? "";
    for (const line of lines) this.#emit(line);
  }

  /** The last lines of everything printed, oldest first. */
  end(): readonly string[] {
    for (const stream of ["stdout", "stderr"] as const) {
      if (this.#partial[stream] !== "") this.#emit(this.#partial[stream]);
      this.#partial[stream] = "";
    }
    return this.#last;
  }

  #emit(line: string): void {
    const message = this.#run.secrets.redact(printable(line));
    if (message.trim() === "" || ownArguments.test(message)) return;
    this.#last.push(message);
    if (this.#last.length > keptLines) this.#last.shift();
    const task = this.#task === undefined ? {} : { task: this.#task };
    this.#run.emit({ code: "note", level: "info", ...task, message });
  }
}

/** What a progress bar shows last, without colours and what else could take the terminal over. */
function printable(line: string): string {
  const shown = line.replace(/\r+$/, "").split("\r").at(-1) ?? "";
  return shown
    .replace(/\x1b\[[0-9;?]*[ -/]*[@-~]/g, "")
    .replace(/\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?/g, "")
    .replace(/[\x00-\x08\x0a-\x1f\x7f-\x9f]/g, "");
}
