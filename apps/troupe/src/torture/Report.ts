/** The report of a run as a page. */
import type { Outcome } from "./Torture.ts"

export const htmlOf = (_: Outcome): string => ""
