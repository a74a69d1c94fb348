import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

// The main job on real input: git, the command line as it is packed, two real registries on loopback.
const root = process.env["WERF_TS_ROOT"] ?? fileURLToPath(new URL("../../../", import.meta.url));
const werf = join(root, "dist/bin/werf.js");
const work = mkdtempSync(join(tmpdir(), "werf-ts-demo-"));
const project = join(work, "shop");
const home = join(work, "home");
mkdirSync(home);
const env = {
  PATH: process.env["PATH"],
  HOME: home,
  GIT_CONFIG_GLOBAL: join(home, ".gitconfig"),
  GIT_CONFIG_NOSYSTEM: "1",
  WERF_DIR: project,
};
const servers: ChildProcess[] = [];
const started = Date.now();

function say(text: string): void {
  console.log(`\n\x1b[1m# ${text}\x1b[0m`);
}

function check(what: string, holds: boolean): void {
  if (!holds) throw new Error(`the demo expected: ${what}`);
  console.log(`  \x1b[32m✓\x1b[0m ${what}`);
}

function git(...args: string[]): string {
  const result = spawnSync("git", ["-C", project, ...args], { env, encoding: "utf8" });
  if (result.status !== 0) throw new Error(`git ${args.join(" ")}: ${result.stderr}`);
  return result.stdout.trim();
}

let day = 0;
function commit(message: string): void {
  git("add", "-A");
  const date = new Date(Date.now() - 86_400_000 + day++ * 60_000).toISOString();
  Object.assign(env, { GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date });
  git("commit", "-q", "-m", message);
}

function run(args: readonly string[], show = true): { stdout: string; stderr: string; status: number } {
  if (show) console.log(`$ werf ${args.join(" ").replaceAll(work, "…")}`);
  const result = spawnSync(process.execPath, [werf, ...args], { env, encoding: "utf8", cwd: project });
  const text = (result.stdout + result.stderr).replaceAll(work, "…");
  if (show) console.log(text.replace(/^/gm, "  ").trimEnd());
  if (result.status !== 0) throw new Error(`werf ${args.join(" ")} exited with ${result.status}\n${text}`);
  return { stdout: result.stdout, stderr: result.stderr, status: result.status };
}

function serve(name: string): Promise<string> {
  const child = spawn(
    process.execPath,
    [werf, "registry", "serve", "--listen", "127.0.0.1:0", "--root", join(work, name)],
    {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  servers.push(child);
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const match = /http:\/\/(127\.0\.0\.1:\d+)/.exec(text);
      if (match?.[1] !== undefined) resolve(match[1]);
    });
    child.once("exit", (code) => reject(new Error(`the registry ended with ${code}`)));
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await ended;
}

async function tags(host: string, name: string): Promise<string[]> {
  const response = await fetch(`http://${host}/v2/${name}/tags/list`);
  return response.status === 404 ? [] : (((await response.json()) as { tags: string[] | null }).tags ?? []);
}

const isStage = (tag: string): boolean => /^[0-9a-f]{56}-\d{13}$/.test(tag);

async function demo(): Promise<void> {
  say("A project: two images, one based on the other, and a Helm chart, in git");
  cpSync(join(root, "examples/shop"), project, { recursive: true });
  spawnSync("git", ["init", "-q", "--bare", join(work, "origin.git")], { env });
  git("init", "-q", "-b", "main");
  git("config", "user.name", "Demo");
  git("config", "user.email", "demo@example.invalid");
  git("remote", "add", "origin", join(work, "origin.git"));
  commit("The shop");
  git("tag", "v1.0.0");
  git("push", "-q", "origin", "main", "v1.0.0");
  console.log(`  ${git("log", "--oneline", "--decorate")}`);

  say("Two registries on loopback: the embedded one, twice");
  const [first, second] = await Promise.all([serve("first"), serve("second")]);
  const repo = `${first}/demo/shop`;
  console.log(`  ${first} and ${second}`);

  say("Build: without a daemon, without root");
  run(["build", "--repo", repo, "--add-custom-tag", "%image%-main"]);
  const built = (await tags(first, "demo/shop")).sort();
  check("two stages are published", built.filter(isStage).length === 2);
  check("the custom tag is there", built.includes("backend-main"));

  say("Build again: nothing to do");
  run(["build", "--repo", repo, "--add-custom-tag", "%image%-main", "--save-build-report"]);
  check(
    "no tag was added",
    JSON.stringify((await tags(first, "demo/shop")).sort()) === JSON.stringify(built),
  );
  const report = JSON.parse(readFileSync(join(project, ".werf-build-report.json"), "utf8")) as {
    Images: Record<string, { Rebuilt: boolean }>;
  };
  check(
    "the report says that nothing was rebuilt",
    Object.values(report.Images).every((image) => !image.Rebuilt),
  );
  rmSync(join(project, ".werf-build-report.json"));

  say("Publish the bundle: the chart with its images");
  run(["bundle", "publish", "--repo", repo, "--tag", "1.0.0"]);

  say("Copy the bundle to another registry");
  run(["bundle", "copy", "--from", `${repo}:1.0.0`, "--to", `${second}/prod/shop:1.0.0`]);
  const copied = await tags(second, "prod/shop");
  check("the chart and its image arrived", copied.includes("1.0.0") && copied.some(isStage));

  say("Copy it to a file");
  const archive = join(work, "shop.tar");
  run(["bundle", "copy", "--from", `${repo}:1.0.0`, "--to", `archive:${archive}`]);
  check(`the archive is there (${statSync(archive).size} bytes)`, existsSync(archive));

  say("Work goes on: three commits on main, one on a branch that is merged and gone");
  for (const version of [2, 3, 4]) {
    writeFileSync(join(project, "backend/public/index.html"), `<h1>shop ${version}</h1>\n`);
    commit(`Version ${version}`);
    run(["build", "--repo", repo, "--log-quiet"], false);
  }
  git("checkout", "-q", "-b", "feature/sale");
  writeFileSync(join(project, "backend/public/sale.html"), "<h1>sale</h1>\n");
  commit("A sale");
  run(["build", "--repo", repo, "--log-quiet"], false);
  git("checkout", "-q", "main");
  git("branch", "-q", "-D", "feature/sale");
  git("push", "-q", "origin", "main");
  const before = (await tags(first, "demo/shop")).filter(isStage);
  check("six stages are in the registry: five backends, one base", before.length === 6);

  const cleanup = [
    "cleanup",
    "--repo",
    repo,
    "--without-kube",
    "--keep-stages-built-within-last-n-hours",
    "0",
  ];
  say("Clean up, as a plan first");
  run([...cleanup, "--dry-run"]);
  check("nothing was deleted", (await tags(first, "demo/shop")).filter(isStage).length === 6);

  say("Clean up");
  run(cleanup);
  const after = (await tags(first, "demo/shop")).filter(isStage);
  // main keeps two images, the tag v1.0.0 and the bundle 1.0.0 keep the first one, and all are based on base.
  check("four stages are left: main's last two, the released one, and base", after.length === 4);
  const pull = await fetch(`http://${first}/v2/demo/shop/manifests/1.0.0`, {
    headers: { accept: "application/vnd.oci.image.manifest.v1+json" },
  });
  check("the bundle is untouched", pull.status === 200);
}

let failure: unknown;
try {
  await demo();
} catch (error) {
  failure = error;
} finally {
  await Promise.all(servers.map(stop));
  rmSync(work, { recursive: true, force: true });
}
if (failure !== undefined) {
  console.error(`\n\x1b[31m${failure instanceof Error ? failure.message : String(failure)}\x1b[0m`);
  process.exitCode = 1;
} else {
  console.log(
    `\nDone in ${((Date.now() - started) / 1000).toFixed(1)} s; nothing was left running, nothing was left behind.`,
  );
}
