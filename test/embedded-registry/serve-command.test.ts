import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hash } from "bcryptjs";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { runCli } from "../../src/cli/cli.js";
import { blobOf } from "../contract/content.js";
import { createTestAuthority } from "../support/certificates.js";
import { werf } from "../support/cli.js";

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "werf-ts-serve-"));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
});

interface Served {
  readonly url: string;
  stderr(): string;
  /** Interrupts it, and gives its exit code. */
  stop(): Promise<number>;
}

async function serve(...argv: string[]): Promise<Served> {
  const abort = new AbortController();
  let stdout = "";
  let stderr = "";
  const ended = runCli({
    argv: ["registry", "serve", ...argv],
    env: { HOME: home },
    cwd: home,
    home,
    platform: "linux/amd64",
    colors: false,
    signal: abort.signal,
    stdout: (text) => {
      stdout += text;
    },
    stderr: (text) => {
      stderr += text;
    },
  });
  const stop = (): Promise<number> => {
    abort.abort();
    return ended;
  };
  onTestFinished(async () => void (await stop()));
  const url = await vi.waitFor(() => {
    const found = /^Serving \S+ on (\S+)\n$/.exec(stdout)?.[1];
    if (found === undefined) throw new Error(stderr);
    return found;
  });
  return { url, stderr: () => stderr, stop };
}

test.each([
  [["--listen", "0.0.0.0:0"], "nobody would be asked for a password"],
  [["--listen", "[::]:0"], "nobody would be asked for a password"],
  [["--listen", "registry.example.org:0", "--read-only"], "nobody would be asked for a password"],
  [["--listen", "127.evil.example:0"], "nobody would be asked for a password"],
  [["--tls-cert", "tls.crt"], "--tls-cert and --tls-key go together"],
  [["--tls-key", "tls.key"], "--tls-cert and --tls-key go together"],
  [["--tls-cert", "none", "--tls-key", "none"], "--tls-cert: can't read"],
  [["--max-blob-size", "10GB"], '--max-blob-size: "10GB" is not a size'],
  [["--max-blob-size", "0"], '--max-blob-size: "0" is not a size'],
  [["--max-manifest-size", "5MiB"], "--max-manifest-size: 5MiB is too much"],
  [["--max-uploads", "0"], "--max-uploads: 0 is not from 1 to 2000"],
])("registry serve %j is a wrong command line", async (argv, message) => {
  const result = await werf(["registry", "serve", ...argv], { cwd: home, home });
  expect(result).toMatchObject({ exitCode: 2, stdout: "", stderr: expect.stringContaining(message) });
});

test("a password file that is no good ends the command before it listens", async () => {
  const argv = ["registry", "serve", "--listen", "127.0.0.1:0", "--htpasswd", "none"];
  const result = await werf(argv, { cwd: home, home });
  expect(result).toMatchObject({
    exitCode: 1,
    stdout: "",
    stderr: expect.stringContaining(join(home, "none")),
  });
});

test("the options reach the server: limits, passwords, read-only", async () => {
  const limited = await serve(
    "--listen",
    "127.0.0.1:0",
    "--max-blob-size",
    "1KiB",
    "--max-manifest-size",
    "100",
  );
  const send = async (url: string, method: string, body?: string, headers = {}): Promise<number> => {
    const answer = await fetch(url, { method, headers, ...(body === undefined ? {} : { body }) });
    await answer.arrayBuffer();
    return answer.status;
  };
  const [small, large] = ["x".repeat(1024), "x".repeat(1025)];
  const uploads = `${limited.url}/v2/app/blobs/uploads/?digest=`;
  expect(await send(uploads + blobOf(small).digest, "POST", small)).toBe(201);
  expect(await send(uploads + blobOf(large).digest, "POST", large)).toBe(413);
  expect(await send(`${limited.url}/v2/app/manifests/v1`, "PUT", "y".repeat(101))).toBe(413);
  expect(await limited.stop()).toBe(0);

  await writeFile(join(home, "users"), `anna:${await hash("right", 4)}\n`);
  const guarded = await serve("--listen", "127.0.0.1:0", "--htpasswd", "users", "--read-only");
  const headers = { authorization: `Basic ${Buffer.from("anna:right").toString("base64")}` };
  const blob = `${guarded.url}/v2/app/blobs/${blobOf(small).digest}`;
  expect(await send(blob, "GET")).toBe(401);
  expect(await send(blob, "GET", undefined, headers)).toBe(200);
  expect(await send(blob, "DELETE", undefined, headers)).toBe(405);
  expect(guarded.stderr()).toBe("");
});

test("passwords on an address that others reach go with TLS, or with a warning", async () => {
  await writeFile(join(home, "users"), `anna:${await hash("right", 4)}\n`);
  const plain = await serve("--listen", "0.0.0.0:0", "--htpasswd", "users");
  expect(plain.stderr()).toContain("Warning: passwords travel unencrypted to 0.0.0.0:0");
  await plain.stop();
  const { cert, key } = await (await createTestAuthority()).issue("127.0.0.1");
  await writeFile(join(home, "tls.crt"), cert);
  await writeFile(join(home, "tls.key"), key);
  const tls = ["--tls-cert", "tls.crt", "--tls-key", "tls.key"];
  const encrypted = await serve("--listen", "0.0.0.0:0", "--htpasswd", "users", ...tls);
  expect(encrypted.url).toMatch(/^https:/);
  expect(encrypted.stderr()).toBe("");
});

test("anonymous service to others must be asked for", async () => {
  const open = await serve("--listen", "0.0.0.0:0", "--allow-anonymous");
  expect((await fetch(`${open.url.replace("0.0.0.0", "127.0.0.1")}/v2/`)).status).toBe(200);
});
