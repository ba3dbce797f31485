/* oxlint-disable no-restricted-globals, no-restricted-properties -- This is where they are replaced. */
/**
 * What reads time and chance behind Effect's back, such as a library, or Effect's own hash of a function: while a world
 * runs, it reads those of the world.
 */
export interface Readings {
  readonly random: () => number
  /** Since 1970. */
  readonly millis: () => number
  /** Since the start. */
  readonly sinceStartMillis: () => number
}

/** Runs `run`, which is synchronous, with these readings in place of the machine's. */
export const within = <A>({ millis, random, sinceStartMillis }: Readings, run: () => A): A => {
  const machine = { random: Math.random, now: Date.now, performanceNow: performance.now }
  Math.random = random
  Date.now = millis
  performance.now = sinceStartMillis
  try {
    return run()
  } finally {
    Math.random = machine.random
    Date.now = machine.now
    performance.now = machine.performanceNow
  }
}
