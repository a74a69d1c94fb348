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

/** Of commands that bring images into a repository. */
export const imageOptions = [
  "repo",
  "finalRepo",
  "addCustomTag",
  "platform",
  "builder",
  "finalImagesOnly",
  "parallel",
  "parallelTasksLimit",
] as const;

/** Of commands that delete from a repository. */
export const deletionOptions = [
  "repo",
  "finalRepo",
  "dryRun",
  "strict",
  "saveCleanupReport",
  "cleanupReportPath",
  "logVerbose",
  "logDebug",
  "parallel",
  "parallelTasksLimit",
] as const;
