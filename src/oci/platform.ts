import { WerfError } from "../core/errors.js";

/** As in image-index.md of the OCI image specification. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly "os.version"?: string;
  readonly "os.features"?: readonly string[];
}

const part = /^[a-z0-9_.-]+$/;

/** Names that `uname` and people use, and the specification's own (GOARCH). */
const aliases: Readonly<Record<string, readonly [string, string?]>> = {
  x86_64: ["amd64"],
  "x86-64": ["amd64"],
  i386: ["386"],
  i686: ["386"],
  aarch64: ["arm64"],
  armhf: ["arm", "v7"],
  armel: ["arm", "v6"],
};

/**
 * `os/arch[/variant]`; the architecture's aliases are normalised as containerd does (arm64/v8 is arm64).
 * @throws WerfError `oci/platform-invalid`
 */
export function parsePlatform(text: string): Platform {
  const [os, arch, variant, ...rest] = text.trim().toLowerCase().split("/");
  const parts = [os, arch, variant].filter((p) => p !== undefined);
  if (!os || !arch || rest.length > 0 || !parts.every((p) => part.test(p))) {
    throw new WerfError("oci/platform-invalid", `"${text}" is not a platform`, {
      hint: "write it as os/architecture or os/architecture/variant, for example linux/amd64 or linux/arm/v7",
      exitCode: 2,
    });
  }
  const [architecture, impliedVariant] = aliases[arch] ?? [arch];
  return normalize({ os, architecture, ...optionalVariant(variant ?? impliedVariant) });
}

function optionalVariant(variant: string | undefined): { variant?: string } {
  return variant === undefined || variant === "" ? {} : { variant };
}

/** arm64 has only v8 and arm is v7 unless it says otherwise. */
function normalize(platform: Platform): Platform {
  const { os, architecture, variant } = platform;
  if (architecture === "arm64" && variant === "v8") return { os, architecture };
  if (architecture === "arm" && variant === undefined) return { os, architecture, variant: "v7" };
  return platform;
}

/** The inverse of `parsePlatform`. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = normalize(platform);
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

/** Whether an image for `have` can serve a wish for `want`: same os, architecture and variant. */
export function matchesPlatform(want: Platform, have: Platform): boolean {
  return formatPlatform(want) === formatPlatform({ ...have });
}
