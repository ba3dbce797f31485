/**
 * What becomes of an actor that failed. Its parent says so when it spawns it.
 *
 * @example
 * import { Supervision } from "@troupe/actor"
 * import { Schedule } from "effect"
 *
 * // Three times in a minute, waiting longer each time; with what it knew.
 * export const patient = Supervision.restart({
 *   limit: 3,
 *   within: "1 minute",
 *   backoff: Schedule.exponential("100 millis"),
 *   state: "kept"
 * })
 */
import type { Cause, Duration, Schedule } from "effect"
import { duration, whole } from "./internal/system/options.ts"

/**
 * - `Restart`: it starts again, and goes on with the messages that wait for it; the one that it failed at is gone.
 * - `Resume`: it goes on, with the state from before that message.
 * - `Stop`: it stops, and so do its children.
 * - `Escalate`: its parent fails.
 */
export type Directive =
  | Restart
  | { readonly _tag: "Resume" }
  | { readonly _tag: "Stop" }
  | { readonly _tag: "Escalate" }

export type Supervision =
  | Directive
  | { readonly _tag: "Decide"; readonly decide: (cause: Cause.Cause<unknown>) => Directive }

export interface Restart extends RestartOptions {
  readonly _tag: "Restart"
}

export interface RestartOptions {
  /** Restarts within `within`; with one more it stops. A whole number from 0 on. Default: 10. */
  readonly limit?: number
  /** Default: 1 minute. */
  readonly within?: Duration.Input
  /** How long it waits before it starts again; it stops when the schedule ends. It begins anew after `within`. Default: not at all. */
  readonly backoff?: Schedule.Schedule<unknown, unknown>
  /** `reset`: it starts from `init`, without its children, timers and watches. `kept`: with all of them. Default: `reset`. */
  readonly state?: "reset" | "kept"
}

export const restart = (options: RestartOptions = {}): Restart => {
  const of = "Supervision.restart"
  whole({ of, option: "limit", given: options.limit ?? 10, least: 0 })
  duration({ of, option: "within", given: options.within ?? "1 minute" })
  return { _tag: "Restart", ...options }
}
export const resume: Directive = { _tag: "Resume" }
export const stop: Directive = { _tag: "Stop" }
export const escalate: Directive = { _tag: "Escalate" }

/** By the cause. */
export const decide = (choose: (cause: Cause.Cause<unknown>) => Directive): Supervision => ({
  _tag: "Decide",
  decide: choose
})
