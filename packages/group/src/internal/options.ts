/** How a kernel is set up. */
import { InvalidOptions } from "../Multicast.ts"

export interface Options {
  /**
   * `static`: all nodes of the transport, for good. `views`: those that a `Membership` names; before its first view a node
   * sends nothing.
   */
  readonly members: "static" | "views"
  /** Whether a message is delivered only once all members of the view have it, and all that its turn was decided by. */
  readonly uniform: boolean
  /** Whether members that join are given the state of the application. Of `views`. */
  readonly transfers: boolean
  /** In pieces of at most so many bytes: they have to fit into the packets of a transport that has such. */
  readonly pieceBytes: number
  /** How many messages of this node may be under way, that is, not with all members yet. More wait with their sender. */
  readonly window: number
  /** How many messages may wait here for their turn, or for the application, before the senders are slowed down. */
  readonly maxWaiting: number
  /** How many messages are kept that came too early: of views to come, and beyond gaps. One more is refused. */
  readonly maxEarly: number
  /** How many messages are received before this is told to the others at once. */
  readonly reportEvery: number
  /** After how long it is told at the latest. */
  readonly reportMillis: number
  /** After how long a gap is asked about; later asks come at growing intervals. */
  readonly askMillis: number
  /** After how long those are asked from whom nothing was heard, while they are waited for. */
  readonly tickMillis: number
  /** After how long asking for a missing message is given up. */
  readonly gapTimeoutMillis: number
}

export const defaults: Options = {
  members: "static",
  uniform: false,
  transfers: false,
  pieceBytes: 1024,
  window: 256,
  maxWaiting: 4096,
  maxEarly: 4096,
  reportEvery: 32,
  reportMillis: 10,
  askMillis: 10,
  tickMillis: 50,
  gapTimeoutMillis: 30_000
}

/** What is wrong with these, if anything. */
export const refusal = (options: Options): InvalidOptions | undefined => {
  for (const name of ["window", "maxWaiting", "maxEarly", "reportEvery", "pieceBytes"] as const) {
    if (!Number.isSafeInteger(options[name]) || options[name] < 1) {
      return new InvalidOptions({ reason: `${name} is ${options[name]}, and has to be a whole number from 1` })
    }
  }
  for (const name of ["reportMillis", "askMillis", "tickMillis", "gapTimeoutMillis"] as const) {
    if (!(options[name] >= 0)) {
      return new InvalidOptions({ reason: `${name} is ${options[name]}, and has to be a number from 0` })
    }
  }
  return undefined
}
