import { parseDockerfile } from "../../src/build/dockerfile/parser.js";
import { planTarget } from "../../src/build/dockerfile/plan.js";
import type { TargetPlan } from "../../src/build/dockerfile/target-plan.js";
import type { BaseImage, BuiltImage } from "../../src/build/engines/engine.js";
import { nativeEngine } from "../../src/build/engines/native/engine.js";
import type { RuntimeConfig } from "../../src/oci/image-config.js";
import { formatPlatform, parsePlatform } from "../../src/oci/platform.js";
import { unpack } from "./base-image.js";
import { type MemoryFile, memoryContext } from "./memory-context.js";
import type { TestRun } from "./run-context.js";

export interface NativeGiven {
  readonly files?: Readonly<Record<string, string | Uint8Array | MemoryFile>>;
  /** By reference, or by reference and platform: `base linux/arm64`. */
  readonly bases?: Readonly<Record<string, BaseImage>>;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Builds the lines of a Dockerfile for linux/amd64. */
export type NativeBuild = (lines: readonly string[], given?: NativeGiven) => Promise<BuiltImage>;

const platform = parsePlatform("linux/amd64");

export function planOf(lines: readonly string[]): TargetPlan {
  const parsed = parseDockerfile(Buffer.from(lines.join("\n")), "Dockerfile");
  return planTarget(parsed, { args: {}, platform, buildPlatform: platform });
}

export function nativeBuild(run: TestRun): NativeBuild {
  return async (lines, { files = {}, bases = {}, labels = {} } = {}) =>
    nativeEngine.build(run, {
      image: "app",
      platform,
      plan: planOf(lines),
      dockerfile: { path: "Dockerfile", bytes: Buffer.from(lines.join("\n")) },
      context: memoryContext(files),
      labels,
      scratchDirectory: await run.tmp(),
      resolveBase: async (reference, wanted) => {
        const base = bases[`${reference} ${formatPlatform(wanted)}`] ?? bases[reference];
        if (base === undefined) throw new Error(`no base ${reference}`);
        return base;
      },
    });
}

/** The entries of a layer, the last by default: `name mode uid:gid content`, or `-> target` of a link. */
export async function listing(image: BuiltImage, index = -1): Promise<string[]> {
  const layer = image.layers.at(index);
  if (layer === undefined) throw new Error("there is no such layer");
  const entries = await unpack(layer);
  return [...entries.values()].map(({ header: { name, mode, uid, gid, type, linkname }, text }) => {
    const what = type === "symlink" ? ` -> ${linkname}` : type === "file" ? ` ${text}` : "";
    return `${name} ${mode.toString(8)} ${uid}:${gid}${what}`;
  });
}

export function runtimeOf(image: BuiltImage): RuntimeConfig {
  return image.config.config ?? {};
}
