import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, WerfError } from "../../core/errors.js";
import { maxManifestBytes } from "../../oci/manifest.js";
import { defineCommand, type RunCommand } from "./command.js";
import { absolutePath, isLoopback, parseListen, parseSize } from "./registry-values.js";

export const registryServe: RunCommand = defineCommand({
  options: [
    "listen",
    "root",
    "readOnly",
    "htpasswd",
    "allowAnonymous",
    "tlsCert",
    "tlsKey",
    "maxBlobSize",
    "maxManifestSize",
    "maxUploads",
  ],
  description: [
    "Serves the OCI distribution API 1.1 from a directory, until it is interrupted; requests under way are answered first. With --htpasswd everything but /healthz asks for a user and a password. Without it only loopback is served, unless --allow-anonymous says otherwise.",
    "GET /metrics tells Prometheus about requests, bytes and uploads, and no names of repositories.",
  ],
  examples: [
    "werf registry serve",
    "werf registry serve --listen 127.0.0.1:0 --root ./registry",
    "werf registry serve --listen 0.0.0.0:5000 --htpasswd users --tls-cert tls.crt --tls-key tls.key",
  ],
  async execute(run, { options, output }) {
    const { startRegistry } = await import("../../embedded-registry/server/server.js");
    const listen = parseListen(options.listen);
    const { htpasswd } = options;
    const open = !isLoopback(listen.host);
    if (open && htpasswd === undefined && !options.allowAnonymous) {
      throw new WerfError(
        "cli/registry-open",
        `--listen ${options.listen}: other machines may reach this address, and nobody would be asked for a password`,
        {
          hint: "give --htpasswd FILE, or --allow-anonymous if that is meant, perhaps with --read-only",
          exitCode: 2,
        },
      );
    }
    const limits = limitsOf(options);
    const tls = await readTls(run.cwd, options.tlsCert, options.tlsKey);
    if (open && htpasswd !== undefined && tls === undefined) {
      const message = `passwords travel unencrypted to ${options.listen}`;
      const hint = "give --tls-cert and --tls-key, or let a proxy in front do TLS";
      run.emit({ code: "warning", id: "cli/registry-plain", message, hint });
    }
    const root =
      options.root === undefined ? join(run.werfHome, "registry") : absolutePath(run.cwd, options.root);
    const server = await startRegistry({
      root,
      listen,
      readOnly: options.readOnly,
      ...limits,
      ...(htpasswd === undefined ? {} : { htpasswd: absolutePath(run.cwd, htpasswd) }),
      ...(tls === undefined ? {} : { tls }),
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

interface Limits {
  readonly maxBlobBytes?: number;
  readonly maxManifestBytes: number;
  readonly maxUploads: number;
}

function limitsOf(options: {
  readonly maxBlobSize: string | undefined;
  readonly maxManifestSize: string;
  readonly maxUploads: number;
}): Limits {
  const { maxUploads } = options;
  const manifestBytes = parseSize("max-manifest-size", options.maxManifestSize);
  if (manifestBytes > maxManifestBytes) {
    throw new WerfError("cli/option-invalid", `--max-manifest-size: ${options.maxManifestSize} is too much`, {
      hint: "clients need not read manifests of more than 4MiB",
      exitCode: 2,
    });
  }
  if (maxUploads < 1 || maxUploads > 2000) {
    throw new WerfError("cli/option-invalid", `--max-uploads: ${maxUploads} is not from 1 to 2000`, {
      exitCode: 2,
    });
  }
  return {
    ...(options.maxBlobSize === undefined
      ? {}
      : { maxBlobBytes: parseSize("max-blob-size", options.maxBlobSize) }),
    maxManifestBytes: manifestBytes,
    maxUploads,
  };
}

async function readTls(
  cwd: string,
  cert: string | undefined,
  key: string | undefined,
): Promise<{ cert: string; key: string } | undefined> {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) {
    throw new WerfError("cli/option-invalid", "--tls-cert and --tls-key go together", { exitCode: 2 });
  }
  return {
    cert: await readPem("tls-cert", absolutePath(cwd, cert)),
    key: await readPem("tls-key", absolutePath(cwd, key)),
  };
}

async function readPem(flag: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new WerfError("cli/option-invalid", `--${flag}: can't read ${path}: ${messageOf(cause)}`, {
      cause,
      exitCode: 2,
    });
  }
}
