/** Models to learn from, which `troupe check example/<name>` runs. */
import * as AbdRegister from "./AbdRegister.ts"
import * as ChangRoberts from "./ChangRoberts.ts"
import type { Example } from "./Example.ts"
import * as Paxos from "./Paxos.ts"
import * as SingleCopyRegister from "./SingleCopyRegister.ts"
import * as TwoPhaseCommit from "./TwoPhaseCommit.ts"

export { BadSize, type Example, type Flag, type KnownCount } from "./Example.ts"
export { AbdRegister, ChangRoberts, Paxos, SingleCopyRegister, TwoPhaseCommit }

export const examples: ReadonlyArray<Example> = [
  TwoPhaseCommit.example,
  SingleCopyRegister.example,
  AbdRegister.example,
  Paxos.example,
  ChangRoberts.example
]
