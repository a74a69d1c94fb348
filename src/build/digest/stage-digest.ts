import { createHash } from "node:crypto";
import type { TreeEntry } from "../../git/repository.js";
import type { BuildContext } from "../context/context.js";
import { matchSources } from "../context/sources.js";
import type { Instruction } from "../dockerfile/instruction.js";
import { stagesOfTarget } from "../dockerfile/plan.js";
import { isRemoteSource } from "../dockerfile/remote-source.js";
import type { DigestInputs, StageBase } from "../dockerfile/target-plan.js";
import { canonicalJson, type JsonValue } from "./canonical-json.js";
import { sha3 } from "./sha3.js";

/** Mixed in, so that neither this tool nor werf takes the other's stage by half-equal inputs. */
const domain = "werf-ts/1";

/**
 * The content digest of an image for one platform: 56 hexadecimal digits, the same on every machine. It counts
 * what the instructions of the target's stages say after expansion, and names, modes and contents of the files
 * they take from the context; not comments, positions, stages that aren't needed, what is behind a base image's
 * reference, or build args without an ARG.
 * @throws WerfError `build/copy-source-missing` and what else `matchSources` throws
 */
export async function stageDigest(inputs: DigestInputs): Promise<string> {
  const { plan, platform, context, cacheVersion = "" } = inputs;
  const published = stagesOfTarget(plan);
  const stages: JsonValue[] = [];
  for (const [index, { base, instructions }] of plan.stages.entries()) {
    const facts: JsonValue[] = [];
    for (const instruction of instructions) facts.push(await instructionFacts(instruction, context));
    stages.push([baseFacts(base, published.has(index)), facts]);
  }
  return sha3(canonicalJson([domain, platform, cacheVersion, stages]));
}

/** What only helps to build doesn't make another image on another machine. */
function baseFacts(base: StageBase, isPublished: boolean): JsonValue {
  if (base.kind !== "image" || base.runsOnBuilder === undefined || isPublished) return { ...base };
  return { kind: base.kind, reference: base.reference, runsOnBuilder: true };
}

async function instructionFacts(instruction: Instruction, context: BuildContext): Promise<JsonValue> {
  const { position: _position, text, ...facts } = instruction;
  return {
    facts: facts as unknown as JsonValue,
    // An escaped `$x` and an open one look the same after expansion, but not as written.
    ...(instruction.unresolved === undefined ? {} : { text }),
    files: await contextFacts(instruction, context),
  };
}

async function contextFacts(instruction: Instruction, context: BuildContext): Promise<JsonValue> {
  switch (instruction.kind) {
    case "copy":
    case "add": {
      if (instruction.from !== undefined) return null;
      if (instruction.sourcesUnresolved === true) return wholeContext(context);
      const remote = instruction.kind === "add" ? isRemoteSource : () => false;
      const sources = instruction.sources.filter((source) => !remote(source));
      return sources.length === 0 ? null : matchedFacts(instruction, sources, context);
    }
    case "run": {
      const checksums: JsonValue[] = [];
      for (const mount of instruction.mounts) {
        if (mount.type !== "bind" || mount.from !== undefined) continue;
        const { value } = mount.options.find(({ key }) => key === "source" || key === "src") ?? {};
        const literal = value !== undefined && !/[$*?[\\]/.test(value);
        checksums.push(literal ? await matchedFacts(instruction, [value], context) : wholeContext(context));
      }
      return checksums;
    }
    default:
      return null;
  }
}

async function matchedFacts(
  instruction: Instruction,
  sources: readonly string[],
  context: BuildContext,
): Promise<JsonValue> {
  const keepsPaths = instruction.kind === "copy" && instruction.parents;
  const matched = await matchSources(context, sources, instruction.position);
  return matched.map(({ kind, path, files }) => [
    kind,
    keepsPaths ? path : null,
    checksum(files.map(({ entry, relative }) => ({ entry, path: relative }))),
  ]);
}

function wholeContext(context: BuildContext): string {
  return checksum(context.files.map((entry) => ({ entry, path: entry.path })));
}

/** Of names, modes and contents, in an order that depends on the names alone. */
function checksum(files: readonly { readonly entry: TreeEntry; readonly path: string }[]): string {
  const hash = createHash("sha256");
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  for (const { entry, path } of sorted) hash.update(JSON.stringify([path, entry.mode, entry.oid]));
  return hash.digest("hex");
}
