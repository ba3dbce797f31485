/** Models to learn from, which `troupe check example/<name>` runs. */
import type { Example } from "./Example.ts"
import * as TwoPhaseCommit from "./TwoPhaseCommit.ts"

export { BadSize, type Example, type Flag, type KnownCount } from "./Example.ts"
export { TwoPhaseCommit }

export const examples: ReadonlyArray<Example> = [TwoPhaseCommit.example]
