/**
 * The options of quorums, decoded, and the replica with its front end.
 */
import { Actor, type Protocol } from "@troupe/actor"
import { VersionVector } from "@troupe/clocks"
import { type NodeId, Transport } from "@troupe/transport"
import { type Duration, Effect, Schema } from "effect"
import { InvalidOptions, type Positions, type Replicated, type Tag } from "../../Replicated.ts"
import { decode, millis, Millis } from "../passive/settings.ts"
import * as AntiEntropy from "./antiEntropy.ts"
import * as FrontEnd from "./frontEnd.ts"
import { codecs } from "./layout.ts"
import type { Message, Record } from "./messages.ts"
import * as Quorums from "./quorums.ts"
import type { Command, Event, Options, State, Timer } from "./state.ts"

export interface LayerOptions {
  /** R: how many votes a read asks for, and an update before it is executed. Default: a majority. R + W > N. */
  readonly readQuorum?: number
  /** W: how many votes must hold an update before it is answered. Default: a majority. W > N/2. */
  readonly writeQuorum?: number
  /** How many votes a node has. Default: one each. N is the sum. */
  readonly votes?: Readonly<globalThis.Record<NodeId.NodeId, number>>
  /**
   * How many nodes hold a key, each key others: N is that, then, and `votes` are one each. Default: all nodes hold all.
   */
  readonly copies?: number
  /**
   * Weaker, of fewer `copies` than nodes: others stand in for the homes of a key that are silent, keep what they are given,
   * and hand it to them when they are back (hinted handoff). Then quorums may miss each other: what was acknowledged may be
   * lost to another update, reads may be of old values. For who would rather have that than no answer. Default: false.
   */
  readonly sloppy?: boolean
  /** For how long a node that stands in keeps a copy. Then it is lost, unless others have it. Default: 1 hour. */
  readonly hintsFor?: Duration.Input
  /** For how many keys a node stands in; with more it is silent. Default: 65,536. */
  readonly hints?: number
  /**
   * `true`: a read is answered when a write quorum holds what it answers: linearizable. `false`: it is answered by a read
   * quorum alone, and a later read may be answered what was before (regular, not atomic). Default: true.
   */
  readonly writeBack?: boolean
  /** How often what has no answer is sent again. Default: 100 ms. */
  readonly retryEvery?: Duration.Input
  /** Who is silent for so many times `retryEvery` is taken to be down. Default: 4. */
  readonly silentAfter?: number
  /**
   * How often a node compares its copies with those of another, chosen at random, so that a replica that was away is brought
   * what it missed without its being read (anti-entropy). Default: never.
   */
  readonly compareEvery?: Duration.Input
  /** After so long a request ends without an answer. Default: 5 seconds. */
  readonly timeout?: Duration.Input
  /**
   * What a proposal that met another waits for, on the average, at first: a round, and so long at the most; each time twice
   * as long. Default: 4 ms.
   */
  readonly backOff?: Duration.Input
}

type Settings = Omit<Options, keyof Quorums.Quorums | "copies"> & FrontEnd.Settings

export const defaultSettings: Settings = {
  sloppy: false,
  hintMillis: 3_600_000,
  hints: 65_536,
  writeBack: true,
  tickMillis: 100,
  silentTicks: 4,
  isCompared: false,
  backOffMillis: 4,
  timeoutMillis: 5_000,
  open: 16_384
}

const Count = Schema.Int.check(Schema.isGreaterThan(0), Schema.isLessThanOrEqualTo(65_536))

const Decoded = Schema.Struct({
  readQuorum: Count,
  writeQuorum: Count,
  votes: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000 }))),
  copies: Count,
  sloppy: Schema.Boolean,
  hintMillis: Millis,
  hints: Count,
  writeBack: Schema.Boolean,
  tickMillis: Millis,
  silentTicks: Count.check(Schema.isGreaterThan(1)),
  isCompared: Schema.Boolean,
  backOffMillis: Millis,
  timeoutMillis: Millis,
  open: Count
})

/** Of a system of these nodes; fails where an option is out of its range, or breaks one of Gifford's rules. */
export const optionsOf = Effect.fnUntraced(function* (
  nodes: ReadonlyArray<NodeId.NodeId>,
  given: LayerOptions = {}
): Effect.fn.Return<Options & FrontEnd.Settings, InvalidOptions> {
  const stranger = Object.keys(given.votes ?? {}).find((node) => !nodes.includes(node))
  if (stranger !== undefined) {
    return yield* new InvalidOptions({ reason: `\`votes\` names ${stranger}, which is none of ${nodes.join(", ")}.` })
  }
  const options = yield* decode<Options & FrontEnd.Settings>(Decoded, {
    ...defaultSettings,
    ...Quorums.of(nodes, given),
    copies: given.copies ?? nodes.length,
    ...(given.sloppy === undefined ? {} : { sloppy: given.sloppy }),
    ...(given.hints === undefined ? {} : { hints: given.hints }),
    hintMillis: millis(given.hintsFor, defaultSettings.hintMillis),
    ...(given.writeBack === undefined ? {} : { writeBack: given.writeBack }),
    ...(given.silentAfter === undefined ? {} : { silentTicks: given.silentAfter }),
    isCompared: given.compareEvery !== undefined,
    tickMillis: millis(given.retryEvery, defaultSettings.tickMillis),
    backOffMillis: millis(given.backOff, defaultSettings.backOffMillis),
    timeoutMillis: millis(given.timeout, defaultSettings.timeoutMillis)
  })
  const isWhole = options.copies === nodes.length
  const reason =
    misplaced(options, nodes.length, given) ??
    Quorums.broken(options, isWhole ? Quorums.total(options.votes) : options.copies)
  return reason === undefined ? options : yield* new InvalidOptions({ reason })
})

/** What does not go with fewer copies than nodes, or with as many. */
const misplaced = (
  { copies, sloppy }: Options,
  nodes: number,
  { compareEvery, votes }: LayerOptions
): string | undefined => {
  if (copies > nodes) return `there are ${nodes} nodes for ${copies} copies. Ask for ${nodes} at the most.`
  if (copies === nodes) {
    return sloppy
      ? "nobody can stand in where all nodes hold all keys: sloppy quorums need fewer copies than nodes."
      : undefined
  }
  if (votes !== undefined) return "with fewer copies than nodes, each node has one vote: leave `votes` out."
  return compareEvery === undefined
    ? undefined
    : "nodes that hold other keys cannot be compared: leave `compareEvery` out."
}

/** The service of a node, for as long as the scope lives. */
export const replicated = Effect.fnUntraced(function* <Self, S, Q, U, R>(
  { machine }: Tag<Self, S, Q, U, R>,
  protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options, Record>,
  given: LayerOptions
) {
  const { nodes } = yield* Transport
  if (machine.keyed === undefined) {
    return yield* new InvalidOptions({
      reason: `the machine "${machine.name}" cannot be had key by key: see Machine.keyed`
    })
  }
  const options = yield* optionsOf(nodes, given)
  const frontEnd = yield* FrontEnd.make(machine, options)
  const actor = yield* Actor.spawnDurable(protocol, { options, codec: () => codecs(machine).message })
  yield* frontEnd.attach(actor)
  if (given.compareEvery !== undefined) yield* AntiEntropy.run(machine, protocol.name, actor, given.compareEvery)
  const service = frontEnd.service()
  return options.writeBack ? { ...service, positions: everywhere(protocol.name, service) } : service
})

/** Each request finds all that was answered before it, at whatever node: a session has nothing to wait for. */
const everywhere = (of: string, { invoke }: Replicated<any, any>): Positions<any, any> => ({
  of,
  invoke: (request) => Effect.map(invoke(request), (response) => ({ response, at: VersionVector.empty }))
})
