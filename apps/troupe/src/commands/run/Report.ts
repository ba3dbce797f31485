/** What a run comes to, for who tells of it. */
import type { Outcome, Tally } from "../../Tally.ts"
import type { Run } from "../../worlds/World.ts"

export const transports = ["memory", "tcp", "udp", "sim"] as const
export type Transport = (typeof transports)[number]

export interface Watched {
  readonly outcome: Outcome
  readonly tally: Tally
  readonly elapsedMillis: number
  /** How long it took in a simulated world. */
  readonly virtualMillis?: number
}

export interface Report extends Watched {
  readonly plan: Run
  readonly transport: Transport
}
