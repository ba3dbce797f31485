/** What nodes are set to, as the layer is given it, and as they have it. */
import { NodeId, Transport } from "@troupe/transport"
import { type Duration, Effect, Schema } from "effect"
import { InvalidOptions } from "../../Gossip.ts"
import { Count, Millis, millis } from "../epidemic/settings.ts"
import { recordsMax } from "./messages.ts"
import type { Options } from "./state.ts"

/** The settings that `layer` has by default. */
export const defaults: Options = {
  replicas: [],
  readers: [],
  intervalMillis: 200,
  updatesPerGossip: 8,
  recordsPerMessage: 256,
  delayMillis: 60_000,
  retryMillis: 1_000,
  patienceMillis: 10_000,
  logRecords: 16_384,
  requests: 1_024,
  clients: 65_536
}

export interface LayerOptions {
  /** The replica managers that take updates. Default: all nodes that are not readers. */
  readonly replicas?: ReadonlyArray<NodeId.NodeId>
  /** Replica managers that answer queries, and are updated by gossip only. Default: none. */
  readonly readers?: ReadonlyArray<NodeId.NodeId>
  /** How often a replica manager gossips what is left. Default: 200 ms. */
  readonly interval?: Duration.Input
  /** G: after so many updates of its front ends a replica manager gossips at once. More is cheaper and slower. Default: 8. */
  readonly updatesPerGossip?: number
  /** How many records go into a message, 1 to 4,096, not less than `updatesPerGossip`. Default: 256. */
  readonly recordsPerMessage?: number
  /**
   * δ: how much older than a replica manager's clock a request may be when it comes, or younger. It bounds the time that a
   * message takes with the difference of two clocks: beyond it updates are refused. Default: 1 minute.
   */
  readonly delay?: Duration.Input
  /** How long a front end waits before it asks another replica manager. Default: 1 second. */
  readonly retry?: Duration.Input
  /** How long it tries altogether; less than `delay`. Default: 10 seconds. */
  readonly patience?: Duration.Input
  /** How many updates a replica manager has taken that somebody lacks before it refuses more. Default: 16,384. */
  readonly logRecords?: number
  /** How many requests wait in one place; one more is refused. Default: 1,024. */
  readonly requests?: number
  /** How many front ends a replica manager remembers; one more is refused. Default: 65,536. */
  readonly clients?: number
}

const Names = Schema.Array(NodeId.NodeId)

const Fields = Schema.Struct({
  replicas: Names,
  readers: Names,
  intervalMillis: Millis,
  updatesPerGossip: Count,
  recordsPerMessage: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: recordsMax })),
  delayMillis: Millis,
  retryMillis: Millis,
  patienceMillis: Millis,
  logRecords: Count,
  requests: Count,
  clients: Count
})

/** Why options do not fit together. */
const misfit = (options: Options, nodes: ReadonlyArray<NodeId.NodeId>): string | undefined => {
  const { delayMillis, patienceMillis, readers, recordsPerMessage, replicas, updatesPerGossip } = options
  const named = [...replicas, ...readers]
  const stranger = named.find((node) => !nodes.includes(node))
  const twice = named.find((node, i) => named.indexOf(node) < i)
  if (stranger !== undefined) return `"${stranger}" is a replica or reader, and no node of the transport`
  if (twice !== undefined) return `"${twice}" is named twice among replicas and readers`
  if (replicas.length === 0 && readers.length === nodes.length) return "there is no replica that takes updates"
  if (patienceMillis >= delayMillis) return `patience is not less than delay, which is ${delayMillis} ms`
  if (updatesPerGossip > recordsPerMessage) {
    return `updatesPerGossip is above recordsPerMessage, which is ${recordsPerMessage}`
  }
  return undefined
}

export const settle = Effect.fnUntraced(function* (
  given: LayerOptions
): Effect.fn.Return<Options, InvalidOptions, Transport> {
  const options: Options = yield* Schema.decodeUnknownEffect(Fields)({
    replicas: given.replicas ?? defaults.replicas,
    readers: given.readers ?? defaults.readers,
    intervalMillis: millis(given.interval, defaults.intervalMillis),
    updatesPerGossip: given.updatesPerGossip ?? defaults.updatesPerGossip,
    recordsPerMessage: given.recordsPerMessage ?? defaults.recordsPerMessage,
    delayMillis: millis(given.delay, defaults.delayMillis),
    retryMillis: millis(given.retry, defaults.retryMillis),
    patienceMillis: millis(given.patience, defaults.patienceMillis),
    logRecords: given.logRecords ?? defaults.logRecords,
    requests: given.requests ?? defaults.requests,
    clients: given.clients ?? defaults.clients
  }).pipe(Effect.mapError(({ message }) => new InvalidOptions({ reason: message })))
  const { nodes } = yield* Transport
  const reason = misfit(options, nodes)
  if (reason !== undefined) return yield* new InvalidOptions({ reason })
  return options
})
