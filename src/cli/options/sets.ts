/** Options that commands share because they share what they do. */
export const registryOptions = [
  "dockerConfig",
  "insecureRegistry",
  "skipTlsVerifyRegistry",
  "caFile",
] as const;

export const projectOptions = [
  "dir",
  "config",
  "configTemplatesDir",
  "giterminismConfig",
  "env",
  "looseGiterminism",
] as const;
