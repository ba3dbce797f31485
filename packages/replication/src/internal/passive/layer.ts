/**
 * What the layers of replication by a primary share: their options, and the replica with its front end.
 */
import { Actor, type Protocol } from "@troupe/actor"
import { FailureDetector, Suspicion } from "@troupe/failure-detection"
import { type Duration, Effect, Option } from "effect"
import * as FrontEnd from "../../FrontEnd.ts"
import type { Tag } from "../../Replicated.ts"
import { codecs } from "./layout.ts"
import type { Message, Record } from "./messages.ts"
import { decode, millis, Settings as Decoded } from "./settings.ts"
import type { Command, Event, Options, State, Timer } from "./state.ts"

export interface LayerOptions {
  /** How often the primary says that it is there. Default: 100 ms. */
  readonly heartbeatEvery?: Duration.Input
  /**
   * Who is silent for so many heartbeats is suspected, where no `FailureDetector` is in the context: 2 at least. Default: 4.
   */
  readonly suspectAfter?: number
  /**
   * `majority`: an update is safe when all backups that are not suspected have it, and a majority of all nodes: nothing that
   * was acknowledged is lost, however wrong suspicions are. `perfect-detector`: the textbook's rule, the former alone: one
   * node that is left goes on, and a wrong suspicion loses what was acknowledged. Default: `majority`.
   */
  readonly safety?: "majority" | "perfect-detector"
  /** Rounds that are under way at a time; what comes meanwhile shares the next. Default: 2. */
  readonly pipeline?: number
  /** Requests that wait at the primary, at the most: one more is refused as overloaded. Default: 65,536. */
  readonly queue?: number
  /** Requests whose updates are kept for replicas that were away: who lacks more fetches a snapshot. Default: 65,536. */
  readonly kept?: number
  /** After so long a request ends without an answer. Default: 5 seconds. */
  readonly timeout?: Duration.Input
  /** How often a request without an answer is sent again. Default: 200 ms. */
  readonly retryEvery?: Duration.Input
}

export type { Settings } from "../../FrontEnd.ts"

export const defaultSettings: Options & FrontEnd.Settings = {
  tickMillis: 100,
  silentTicks: 4,
  detector: "silence",
  safety: "majority",
  pipeline: 2,
  batch: 1024,
  queue: 65_536,
  kept: 65_536,
  migrateAfter: 0,
  timeoutMillis: 5_000,
  retryMillis: 200,
  open: 16_384
}

/** The service of a node, for as long as the scope lives. */
export const replicated = Effect.fnUntraced(function* <Self, S, Q, U, R>(
  { machine }: Tag<Self, S, Q, U, R>,
  protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options, Record>,
  defaults: Options & FrontEnd.Settings,
  { heartbeatEvery, kept, pipeline, queue, retryEvery, safety, suspectAfter, timeout }: LayerOptions
) {
  const detector = yield* Effect.serviceOption(FailureDetector)
  const options = yield* decode<Options & FrontEnd.Settings>(Decoded, {
    ...defaults,
    ...(pipeline === undefined ? {} : { pipeline }),
    ...(queue === undefined ? {} : { queue }),
    ...(kept === undefined ? {} : { kept }),
    ...(safety === undefined ? {} : { safety }),
    ...(suspectAfter === undefined ? {} : { silentTicks: suspectAfter }),
    tickMillis: millis(heartbeatEvery, defaults.tickMillis),
    timeoutMillis: millis(timeout, defaults.timeoutMillis),
    retryMillis: millis(retryEvery, defaults.retryMillis),
    detector: Option.isSome(detector) ? "given" : "silence"
  })
  const frontEnd = yield* FrontEnd.make(machine, options)
  let tellAgain = (): void => {}
  const actor = yield* Actor.spawnDurable(protocol, {
    options,
    codec: () => codecs(machine).message,
    onRestart: () => {
      frontEnd.onRestart()
      tellAgain()
    }
  })
  yield* frontEnd.attach(actor)
  tellAgain = yield* Suspicion.follow(actor)
  return frontEnd.service()
})
