/** The same work for all: how much of it, and what it comes to. */

export interface Work {
  /** How much is intended. */
  readonly count: number
  /** How much was done. */
  readonly run: () => Promise<number>
}

export interface Peer {
  /** What it does less, or more, than an actor here. */
  readonly note: string
  readonly tell: Work
  readonly pingPong: Work
  /** Where it can be asked. */
  readonly ask: Work | undefined
  /** Those that are spawned stay until `release`. */
  readonly spawn: Work
  readonly release: () => void
}

/** Told in one go, before the teller waits. */
export const burst = 50_000
