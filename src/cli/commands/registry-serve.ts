import { isAbsolute, join, resolve } from "node:path";
import { WerfError } from "../../core/errors.js";
import { defineCommand, type RunCommand } from "./command.js";

export const registryServe: RunCommand = defineCommand({
  options: ["listen", "root"],
  description: [
    "Serves the OCI distribution API 1.1 from a directory, until it is interrupted. There is no authentication: listen on loopback, or behind a proxy that asks for it.",
  ],
  examples: ["werf registry serve", "werf registry serve --listen 127.0.0.1:0 --root ./registry"],
  async execute(run, { options, output }) {
    const { startRegistry } = await import("../../embedded-registry/server/server.js");
    const root =
      options.root === undefined ? join(run.werfHome, "registry") : absolute(run.cwd, options.root);
    const server = await startRegistry({
      root,
      listen: parseListen(options.listen),
      clock: run.clock,
      emit: run.emit,
      signal: run.signal,
    });
    output.line(`Serving ${root} on ${server.url}`);
    if (!run.signal.aborted)
      await new Promise((done) => run.signal.addEventListener("abort", done, { once: true }));
    await server.close();
  },
});

function absolute(cwd: string, path: string): string {
  return isAbsolute(path) ? path : resolve(cwd, path);
}

function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) {
    throw new WerfError("cli/option-invalid", `--listen: "${text}" is not HOST:PORT`, {
      hint: "for example 127.0.0.1:5000, or 127.0.0.1:0 for a free port",
      exitCode: 2,
    });
  }
  return { host: match[1] ?? match[2] ?? "", port };
}
