import { formatPlatform, type Platform } from "../../oci/platform.js";

/** https://docs.docker.com/reference/dockerfile/#automatic-platform-args-in-the-global-scope */
export function platformArgs(platforms: {
  readonly platform: Platform;
  readonly buildPlatform: Platform;
  readonly target: string | undefined;
}): Record<string, string> {
  return {
    ...argsOf("TARGET", platforms.platform),
    ...argsOf("BUILD", platforms.buildPlatform),
    TARGETSTAGE: platforms.target ?? "default",
  };
}

function argsOf(prefix: string, platform: Platform): Record<string, string> {
  return {
    [`${prefix}PLATFORM`]: formatPlatform(platform),
    [`${prefix}OS`]: platform.os,
    [`${prefix}OSVERSION`]: platform["os.version"] ?? "",
    [`${prefix}ARCH`]: platform.architecture,
    [`${prefix}VARIANT`]: platform.variant ?? "",
  };
}

/** Build args that need no ARG: https://docs.docker.com/reference/dockerfile/#predefined-args and BuildKit's own. */
export function isPredefinedArg(name: string): boolean {
  return /^(?:(?:https?|ftp|no|all)_proxy|SOURCE_DATE_EPOCH|BUILDKIT_\w+)$/i.test(name);
}
