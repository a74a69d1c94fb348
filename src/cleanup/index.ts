export { parseMaxDelete } from "./evidence.js";
export { type ExecuteInput, executePlan } from "./executor.js";
export type { GitFacts } from "./facts.js";
export type { BundleReader, CleanupRepositories, InventoryInput } from "./inventory/inputs.js";
export { gatherCleanup, gatherPurge } from "./inventory/inventory.js";
export type { CleanupOutcome, LineOutcome } from "./outcome.js";
export type { ObjectType, Plan, PlanLine } from "./plan.js";
export { parseKeepList } from "./policies/keep-list.js";
export { cleanupReport } from "./report/report.js";
