/** `--parallel` and `--parallel-tasks-limit`. */
export interface ParallelSettings {
  readonly parallel: boolean;
  readonly parallelTasksLimit: number;
}

/** How many tasks may run at once; no limit when it is zero or less. */
export function tasksAtOnce({ parallel, parallelTasksLimit }: ParallelSettings): number {
  if (!parallel) return 1;
  return parallelTasksLimit > 0 ? parallelTasksLimit : Number.POSITIVE_INFINITY;
}
