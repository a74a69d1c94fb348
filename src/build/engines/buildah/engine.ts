import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { WerfError } from "../../../core/errors.js";
import type { RunContext } from "../../../core/run-context.js";
import { formatPlatform } from "../../../oci/platform.js";
import type { TargetPlan } from "../../dockerfile/target-plan.js";
import type { BuildRequest, BuiltImage, Engine } from "../engine.js";
import { type LoadedBases, loadBases } from "./base-images.js";
import { takeImage } from "./built-image.js";
import { writeContext } from "./context-directory.js";
import { BuildOutput } from "./output.js";
import { type Buildah, buildahVersion, installHint, openBuildah } from "./program.js";
import { markUsed, removeUnused } from "./prune.js";
import { reducedDockerfile } from "./reduced-dockerfile.js";

/** Executes the whole Dockerfile with buildah: no daemon, no access to registries, layers cached below WERF_HOME. */
export const buildahEngine: Engine = {
  id: "buildah",
  accepts: () => ({ kind: "accepts" }),
  async available(run) {
    const version = await buildahVersion(run);
    return version === undefined ? { kind: "missing", hint: installHint } : { kind: "available" };
  },
  build,
};

interface Inputs {
  readonly contextDirectory: string;
  readonly dockerfile: string;
  readonly ignoreFile: string;
  readonly imageIdFile: string;
}

/** @throws WerfError `build/buildah-failed`, `build/buildah-too-old`, `build/buildah-*` */
async function build(run: RunContext, request: BuildRequest): Promise<BuiltImage> {
  const buildah = await openBuildah(run);
  checkVersion(buildah, request);
  const bases = await loadBases(run, buildah, request);
  const inputs = await writeInputs(request, bases);
  const options = buildOptions(request, bases, inputs);
  const attempt = async (
    isolation: readonly string[],
  ): Promise<{ exitCode: number; last: readonly string[] }> => {
    const output = new BuildOutput(run, request.task);
    const { exitCode } = await buildah.run(["build", ...isolation, ...options, inputs.contextDirectory], {
      onStdout: (chunk) => output.take("stdout", chunk),
      onStderr: (chunk) => output.take("stderr", chunk),
    });
    return { exitCode, last: output.end() };
  };
  let result = await attempt([]);
  if (result.exitCode !== 0 && run.env["BUILDAH_ISOLATION"] === undefined && noContainer(result.last)) {
    run.emit({
      code: "warning",
      id: "build/buildah-chroot",
      message:
        "containers can't be started here: RUN is executed in a chroot, with the network of this machine",
      hint: "set BUILDAH_ISOLATION=chroot to choose it yourself, or BUILDAH_RUNTIME to name another runtime",
    });
    result = await attempt(["--isolation", "chroot"]);
  }
  if (result.exitCode !== 0) throw failure(request, result.exitCode, result.last);
  const id = (await readFile(inputs.imageIdFile, "utf8")).trim().replace(/^sha256:/, "");
  await markUsed(run, buildah, id);
  const image = await takeImage(run, buildah, id, request, bases.images);
  await removeUnused(run, buildah);
  return image;
}

async function writeInputs(request: BuildRequest, bases: LoadedBases): Promise<Inputs> {
  const directory = join(request.scratchDirectory, "buildah");
  await mkdir(directory);
  const inputs = {
    contextDirectory: join(directory, "context"),
    dockerfile: join(directory, "Dockerfile"),
    ignoreFile: join(directory, "ignore"),
    imageIdFile: join(directory, "image-id"),
  };
  await writeFile(inputs.dockerfile, reducedDockerfile(request.dockerfile, request.plan, bases.ofStages));
  // The context is filtered already; without this, buildah would look for rules in it.
  await writeFile(inputs.ignoreFile, "");
  await writeContext(request.context, inputs.contextDirectory);
  return inputs;
}

function buildOptions(request: BuildRequest, bases: LoadedBases, inputs: Inputs): string[] {
  const { plan } = request;
  const unused = new Set(plan.unusedArgs);
  const args = Object.entries(plan.buildArgs).filter(([name]) => !unused.has(name));
  return [
    "--layers",
    "--force-rm",
    "--pull=never",
    // Docker's format has HEALTHCHECK, SHELL and ONBUILD; what is published is made from both.
    "--format=docker",
    "--identity-label=false",
    `--platform=${formatPlatform(request.platform)}`,
    `--file=${inputs.dockerfile}`,
    `--ignorefile=${inputs.ignoreFile}`,
    `--iidfile=${inputs.imageIdFile}`,
    ...[...bases.ofReferences].map(([name, id]) => `--build-context=${name}=container-image://${id}`),
    ...args.map(([name, value]) => `--build-arg=${name}=${value}`),
  ];
}

/** The runtime failed before the command of RUN could: no cgroups, no namespaces, no runtime at all. */
function noContainer(last: readonly string[]): boolean {
  return last.some((line) =>
    /creating container for \[|did not get container (create|start) message|executable file not found in \$PATH.*(runc|crun)|(runc|crun).*executable file not found/.test(
      line,
    ),
  );
}

const heredocVersion = { major: 1, minor: 33 };

/** Older versions take the body of a heredoc for instructions. */
function checkVersion({ version }: Buildah, { image, plan }: BuildRequest): void {
  const { major, minor } = heredocVersion;
  if (version.major > major || (version.major === major && version.minor >= minor)) return;
  const heredoc = firstHeredoc(plan);
  if (heredoc === undefined) return;
  const { position, text } = heredoc;
  throw new WerfError(
    "build/buildah-too-old",
    `image ${image}: ${position.file}:${position.line}: ${text}: buildah ${version.major}.${version.minor} knows no heredocs`,
    { hint: `install buildah ${major}.${minor} or newer, or write the instruction without a heredoc` },
  );
}

function firstHeredoc(plan: TargetPlan): TargetPlan["stages"][number]["instructions"][number] | undefined {
  return plan.stages
    .flatMap((stage) => stage.instructions)
    .find((instruction) => "heredocs" in instruction && instruction.heredocs.length > 0);
}

function failure(request: BuildRequest, exitCode: number, last: readonly string[]): WerfError {
  const step = last.map((line) => /building at STEP "(.*)": (.*)/.exec(line)).find((match) => match !== null);
  const position = request.plan.stages
    .flatMap((stage) => stage.instructions)
    .find(
      ({ kind, text }) => step?.[1] !== undefined && kind === "run" && sameCommand(text, step[1]),
    )?.position;
  const where = position === undefined ? request.dockerfile.path : `${position.file}:${position.line}`;
  const what = step === undefined ? `buildah ended with code ${exitCode}` : `${step[1]}: ${step[2]}`;
  const end = last.slice(-12).map((line) => `  ${line}`);
  return new WerfError(
    "build/buildah-failed",
    [`image ${request.image}: ${where}: ${what}`, ...end].join("\n"),
    {
      hint: "the indented lines are the last of the build's output; the rest went by as it ran",
    },
  );
}

/** Buildah writes an instruction with other white space, and exec forms without brackets. */
function sameCommand(written: string, shown: string): boolean {
  const letters = (text: string): string => text.replace(/[\s"',[\]]/g, "");
  return letters(written) === letters(shown);
}
