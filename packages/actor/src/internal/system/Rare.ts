import type { Duration, Fiber, Pull, Scope } from "effect"
import type { Reason } from "../../ActorRef.ts"
import type { Timers } from "../Timers.ts"
import type { Cell } from "./Cell.ts"
import type { Question } from "./envelopes.ts"

/** An actor whose end this one is told of. */
export interface Watched {
  readonly told: (reason: Reason) => unknown
  readonly undo: () => void
}

/** Takes what is for an actor that is moving, or has moved. */
export interface Away {
  /** Once it has moved. */
  readonly tell: (message: unknown) => void
  readonly stop: (drain: boolean) => void
}

/** The state of an actor that has none: it has not begun, or begins anew. */
export const none: unique symbol = Symbol("none")

/** What few actors need. */
export class Rare {
  /** Who is told of its end. */
  readonly watchers = new Set<(reason: Reason) => void>()
  readonly watched = new Map<unknown, Watched>()
  readonly links = new Set<Cell>()
  /** With actors of other nodes, by who they are: how each ends. */
  farLinks: Map<string, (how: "Unwatch" | "Unlink") => void> | undefined = undefined
  stash: Array<unknown> = []
  /** Questions that it answers later, some of them over by now, and how many there may be until those are forgotten. */
  deferred: Array<Question> = []
  deferredMost = 0
  timers: Timers | undefined = undefined
  readonly ticks = new Map<
    string,
    { readonly message: unknown; readonly everyMillis: number; generation: number; waits: boolean }
  >()
  generation = 0
  receive: { readonly afterMillis: number; readonly message: unknown; sinceMillis: number } | undefined = undefined
  restartTimes: Array<number> = []
  restarts = 0
  backoff: ((now: number, cause: unknown) => Pull.Pull<[unknown, Duration.Duration], unknown, unknown>) | undefined =
    undefined
  scope: Scope.Closeable | undefined = undefined
  /** What it has under way, and whether that is, or is being, cut short. */
  fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  isCut = false
  isCutting = false
  /** Of one that starts again: its state from before, until it has another one. */
  last: unknown = none
  /** With its state and all it has, and how it waits before. */
  isKept = false
  pause: (() => void) | undefined = undefined
  /** Who waits for room in the mailbox. */
  room: Array<() => void> = []
  /** What is done when the handler under way is done, in place of going on. */
  freeze: (() => void) | undefined = undefined
  away: Away | undefined = undefined
  /** Who waits for its end. */
  gone: Array<() => void> = []
}
