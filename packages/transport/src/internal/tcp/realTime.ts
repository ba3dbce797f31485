/**
 * The time of sockets. A peer on a network doesn't wait for a test's clock: how long a handshake, a sign of life or a
 * shutdown may take is a matter of real time, and so is the end of a turn.
 */

export interface Timer {
  readonly stop: () => void
}

/** Calls `then` once. */
export const after = (millis: number, then: () => void): Timer => {
  const timer = setTimeout(then, millis)
  return { stop: () => clearTimeout(timer) }
}

/** Calls `then` again and again. */
export const every = (millis: number, then: () => void): Timer => {
  const timer = setInterval(then, millis)
  return { stop: () => clearInterval(timer) }
}

/** Calls `then` when what runs now has returned, before sockets are looked at again. */
export const endOfTurn = (then: () => void): void => queueMicrotask(then)
