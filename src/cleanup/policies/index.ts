import { builtWithinHours } from "./built-within-hours.js";
import { gitHistory } from "./git-history.js";
import { keepList } from "./keep-list.js";
import type { Policy } from "./policy.js";
import { usedImages } from "./used-images.js";

/** Every policy, in the order in which reasons are shown. A new one is a file and a line here. */
export const policies: readonly Policy[] = [usedImages, gitHistory, builtWithinHours, keepList];
