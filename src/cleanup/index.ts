export { type MaxDelete, parseMaxDelete } from "./evidence.js";
export { type ExecuteInput, executePlan } from "./executor.js";
export type { CleanupFacts, GitFacts, UsedFacts, UsedImage } from "./facts.js";
export type {
  BundleRead,
  BundleReader,
  CleanupRepositories,
  InventoryInput,
  RepositoryInput,
} from "./inventory/inputs.js";
export { gatherCleanup, gatherPurge, type Planned } from "./inventory/inventory.js";
export type { CleanupOutcome, LineOutcome } from "./outcome.js";
export type { Plan, PlanLine, PlanStep, PlanStop } from "./plan.js";
export { type CleanupOptions, planCleanup, planPurge } from "./planner.js";
export { parseKeepList } from "./policies/keep-list.js";
export { type CleanupReport, cleanupReport } from "./report/report.js";
export { checkReportFile, reportPath, saveReport } from "./report/report-file.js";
