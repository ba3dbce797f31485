/**
 * The network time protocol's way to the time: several servers are asked, the best of each one's last answers is taken,
 * and servers that most of the others contradict are left out.
 *
 * An exchange has four timestamps: sent T1, received T2, answered T3, back T4. The server's clock is ahead by the offset
 * θ = ((T2 − T1) + (T3 − T4))/2, within half of the delay δ = (T4 − T1) − (T3 − T2). Of a server's last eight exchanges the
 * one with the least root distance counts: half its delay, and what clocks may have drifted since. Each server so holds an
 * interval of offsets possible; the intersection algorithm finds the servers that agree, and their average, weighted by
 * root distance, is what this node's clock is adjusted by.
 *
 * `falsetickersMax` servers may be wrong, as wrong as they like: what lies within all but so many of the intervals is
 * where the true time is. That span is the bound of the estimate.
 *
 * Of RFC 5905 this is the four timestamps, clock filter, selection and combination. Not the packet format, strata,
 * clustering, poll adjustment or frequency discipline.
 *
 * Sources: D. Mills et al., "Network Time Protocol Version 4", RFC 5905, 2010; K. Marzullo, S. Owicki, "Maintaining the
 * Time in a Distributed System", PODC 1983.
 *
 * @example
 * import { Ntp } from "@troupe/clocks"
 *
 * console.log(Ntp.offsetAndDelay(0, 130, 140, 30)) // { offsetMillis: 120, delayMillis: 20 }
 */
import type { Card, Protocol } from "@troupe/actor"
import { type ChannelInUse, NodeId, type Transport } from "@troupe/transport"
import { type Duration, Effect, Layer, Schema } from "effect"
import {
  Amount,
  discipline,
  Millis,
  millis,
  Ppm,
  settings,
  timeSource,
  wrongServers
} from "./internal/physical/discipline.ts"
import { TimeOfDay, aged, fromRoundTrip, nonce, resolutionMillis } from "./internal/physical/estimates.ts"
import { combined, overlap, truechimers } from "./internal/physical/selection.ts"
import type { InvalidClockOptions, NodeClock } from "./NodeClock.ts"
import { type Estimate, TimeSource } from "./TimeSource.ts"

// -------------------------------------------------------------------------------------------------- messages and state

const Id = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

export const Message = Schema.Union([
  /** To a server: "what time is it?" T1 stays here, under `id`. */
  Schema.TaggedStruct("Request", { id: Id }),
  /** To who asked: "your request came at T2, and I answer at T3, by my clock". */
  Schema.TaggedStruct("Reply", { id: Id, receivedMillis: TimeOfDay, sentMillis: TimeOfDay })
])
export type Message = typeof Message.Type

/** This node knows the time better. `deltaMillis`: by how much its clock is behind; none at a server. */
export interface Event {
  readonly estimate: Estimate
  readonly deltaMillis: number | undefined
}

/** What the latest selection came to. */
export interface Selected extends Estimate {
  /** Servers that agree. */
  readonly truechimers: ReadonlyArray<NodeId.NodeId>
  /** Servers that the others contradict. */
  readonly falsetickers: ReadonlyArray<NodeId.NodeId>
}

export interface State {
  /** The latest request to each server, if it is not answered. */
  readonly asked: Readonly<Record<NodeId.NodeId, { readonly id: number; readonly monotonicMillis: number }>>
  /** The clock filter: what each server's last exchanges came to, eight at the most, the latest last. */
  readonly filters: Readonly<Record<NodeId.NodeId, ReadonlyArray<Estimate>>>
  /** A server reads its own clock. */
  readonly latest: Selected | undefined
}

export interface Options {
  /** Who knows the time. They answer and ask nobody; every other node asks them all. */
  readonly servers: ReadonlyArray<NodeId.NodeId>
  /** How many of them may be wrong: fewer than half. */
  readonly falsetickersMax: number
  readonly pollMillis: number
  /** How long after a poll the answers are weighed. One that is later counts in the next poll. */
  readonly timeoutMillis: number
  /** The most that a node's monotonic clock is fast or slow. */
  readonly driftPpmMax: number
  /** The most that the clock of a server that is right is off. */
  readonly serverErrorMillis: number
}

type Timer = "poll" | "select"

type Act = Protocol.Actions<Message, Event, Timer, Options>

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "NTP",
  summary:
    "Asks several servers, takes each one's best answer of eight, and leaves out servers that most others contradict; off by " +
    "at most as far as all but the falsetickers allow.",
  paper: {
    authors: "David L. Mills, Jim Martin, Jack Burbank, William Kasch",
    title: "Network Time Protocol Version 4: Protocol and Algorithms Specification",
    venue: "RFC 5905",
    year: 2010
  },
  assumes: {
    timing: "asynchronous",
    failures: "crash-recovery",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "crash", "partition"]
  },
  guarantees: [
    {
      name: "a majority agrees",
      kind: "always",
      description: "A clock is set only by servers that agree, more than half of those that are known.",
      holds: (nodes) =>
        nodes.every(
          ({ state: { latest } }) => latest === undefined || latest.truechimers.length > latest.falsetickers.length
        )
    },
    {
      name: "everybody knows the time",
      kind: "eventually",
      description: "Every node that is up has an estimate.",
      holds: (nodes) => nodes.every(({ alive, state }) => !alive || state.latest !== undefined)
    },
    {
      name: "servers are weighed",
      kind: "sometimes",
      description: "The run has seen a node with an estimate of several servers.",
      holds: (nodes) => nodes.some(({ state: { latest } }) => latest !== undefined && latest.truechimers.length > 1)
    }
  ],
  weaknesses: [
    {
      name: "asymmetric delay",
      description: "When one way takes d longer than the other, an offset is d/2 off. The bound covers it.",
      faults: "none"
    },
    {
      name: "a majority lies",
      description: "More than `falsetickersMax` wrong servers that agree set the clock wrong.",
      faults: "none"
    },
    {
      name: "servers whose own clocks jump",
      description: "A server that jumps with its clock contradicts what it said before.",
      faults: "chaos"
    }
  ],
  cost: {
    operation: "exchange",
    best: { text: "2", of: () => 2 },
    worst: { text: "2", of: () => 2 }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

/** By how much a server's clock is ahead, and how long the exchange was under way (RFC 5905, section 8). */
export const offsetAndDelay = (
  t1: number,
  t2: number,
  t3: number,
  t4: number
): { readonly offsetMillis: number; readonly delayMillis: number } => ({
  offsetMillis: (t2 - t1 + (t3 - t4)) / 2,
  delayMillis: t4 - t1 - (t3 - t2)
})

/** How many exchanges of a server are kept. */
const filtered = 8

export const protocol: Protocol.Protocol<State, Message, never, Event, Timer, Options> = {
  name: "clocks/ntp",
  card,
  message: Message,

  init: () => ({ asked: {}, filters: {}, latest: undefined }),

  onStart: (state, act) => poll(state, act),

  onCommand: (state) => state,

  onMessage: (state, from, message, act) => {
    if (message._tag === "Request") {
      const now = act.now()
      if (isServer(act)) act.send(from, { _tag: "Reply", id: message.id, receivedMillis: now, sentMillis: now })
      return state
    }
    const asked = state.asked[from]
    // Doubled, of an earlier poll, or to an earlier life of this node.
    if (asked === undefined || asked.id !== message.id) return state
    const { [from]: _, ...open } = state.asked
    const answered = exchange({ ...state, asked: open }, from, message, asked.monotonicMillis, act)
    if (Object.keys(open).length > 0) return answered
    act.clearTimer("select")
    return select(answered, act)
  },

  onTimeout: (state, timer, act) => (timer === "poll" ? poll(state, act) : select(state, act))
}

const isServer = (act: Act): boolean => act.self.options.servers.includes(act.self.id)

const poll = (state: State, act: Act): State => {
  const { pollMillis, servers, timeoutMillis } = act.self.options
  act.setTimer("poll", pollMillis)
  if (isServer(act)) return readOwn(state, act)
  const monotonicMillis = act.monotonic()
  const asked: Record<NodeId.NodeId, { readonly id: number; readonly monotonicMillis: number }> = {}
  for (const server of servers) {
    const id = nonce(act.random())
    asked[server] = { id, monotonicMillis }
    act.send(server, { _tag: "Request", id })
  }
  act.setTimer("select", timeoutMillis)
  return { ...state, asked }
}

/** A server knows the time by its own clock. */
const readOwn = (state: State, act: Act): State => {
  const { id, options } = act.self
  const errorMillis = options.serverErrorMillis + resolutionMillis
  const estimate = { monotonicMillis: act.monotonic(), timeMillis: act.now(), errorMillis }
  act.emit({ estimate, deltaMillis: undefined })
  return { ...state, latest: { ...estimate, truechimers: [id], falsetickers: [] } }
}

/** T4: the exchange goes to the server's filter. T1 is reckoned from T4, so that no adjustment comes between the two. */
const exchange = (
  state: State,
  server: NodeId.NodeId,
  { receivedMillis, sentMillis }: { readonly receivedMillis: number; readonly sentMillis: number },
  askedMillis: number,
  act: Act
): State => {
  const { driftPpmMax, serverErrorMillis } = act.self.options
  const monotonicMillis = act.monotonic()
  const t4 = act.now()
  const t1 = t4 - (monotonicMillis - askedMillis)
  const { delayMillis, offsetMillis } = offsetAndDelay(t1, receivedMillis, sentMillis, t4)
  // A server that has had the request for longer than it was away has no clock.
  if (delayMillis < 0 || sentMillis < receivedMillis) return state
  const found = fromRoundTrip(
    { serverMillis: t4 + offsetMillis - delayMillis / 2, roundTripMillis: delayMillis },
    monotonicMillis,
    { driftPpmMax, minDelayMillis: 0 }
  )
  const errorMillis = found.errorMillis + serverErrorMillis + resolutionMillis
  const before = state.filters[server] ?? []
  const filter = [...before.slice(before.length < filtered ? 0 : 1), { ...found, errorMillis }]
  return { ...state, filters: { ...state.filters, [server]: filter } }
}

/** What each server's best exchange says now: how far this node's clock is behind, within the root distance. */
const candidates = (state: State, monotonicMillis: number, nowMillis: number, { driftPpmMax, servers }: Options) =>
  servers.flatMap((id) => {
    const [first, ...rest] = (state.filters[id] ?? []).map((estimate) => aged(estimate, monotonicMillis, driftPpmMax))
    if (first === undefined) return []
    const best = rest.reduce((best, other) => (other.errorMillis <= best.errorMillis ? other : best), first)
    return [{ id, offsetMillis: best.timeMillis - nowMillis, distanceMillis: best.errorMillis }]
  })

/** Weighs the servers, and adjusts the clock if enough of them agree. */
const select = (state: State, act: Act): State => {
  const { options } = act.self
  const monotonicMillis = act.monotonic()
  const nowMillis = act.now()
  const all = candidates(state, monotonicMillis, nowMillis, options)
  if (all.length <= 2 * options.falsetickersMax) return state
  const agreeing = truechimers(all)
  const span = overlap(all, all.length - options.falsetickersMax)
  if (agreeing.length === 0 || span === undefined) return state
  const { highMillis, lowMillis } = span
  const deltaMillis = Math.min(highMillis, Math.max(lowMillis, combined(agreeing)))
  const estimate = {
    monotonicMillis,
    timeMillis: nowMillis + deltaMillis,
    errorMillis: Math.max(highMillis - deltaMillis, deltaMillis - lowMillis) + resolutionMillis
  }
  act.emit({ estimate, deltaMillis })
  const ids = agreeing.map(({ id }) => id)
  const falsetickers = all.flatMap(({ id }) => (ids.includes(id) ? [] : [id]))
  return { ...state, latest: { ...estimate, truechimers: ids, falsetickers } }
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** The settings that `layer` has by default, apart from the servers. */
export const defaults: Omit<Options, "servers" | "falsetickersMax"> = {
  pollMillis: 16_000,
  timeoutMillis: 1_000,
  driftPpmMax: 200,
  serverErrorMillis: 1
}

const Settings = Schema.Struct({
  servers: Schema.Array(NodeId.NodeId),
  falsetickersMax: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
  pollMillis: Millis,
  timeoutMillis: Millis,
  driftPpmMax: Ppm,
  serverErrorMillis: Amount
})

const wrong = (
  { falsetickersMax, pollMillis, servers, timeoutMillis }: Options,
  nodes: ReadonlyArray<NodeId.NodeId>
): string | undefined =>
  wrongServers(servers, nodes) ??
  (2 * falsetickersMax >= servers.length
    ? `${falsetickersMax} wrong servers of ${servers.length} could agree against the others`
    : timeoutMillis > pollMillis
      ? `the timeout, ${timeoutMillis} ms, is over after the next poll, at ${pollMillis} ms`
      : undefined)

/**
 * A `TimeSource`, and the `NodeClock` of this node adjusted by it. Every node runs this layer: `servers` answer by their
 * clock, all others ask all of them.
 *
 * Fails with `InvalidClockOptions` when an option is out of its range, or a server is none of the transport's nodes.
 */
export const layer = (options: {
  readonly servers: ReadonlyArray<NodeId.NodeId>
  /** How many servers may be wrong. Default: as many as are fewer than half. The fewer, the narrower the bound. */
  readonly falsetickersMax?: number
  /** How often the servers are asked. Default: 16 seconds. */
  readonly poll?: Duration.Input
  /** How long after a poll the answers are weighed, if some are missing. Default: 1 second. */
  readonly timeout?: Duration.Input
  /** The most that a node's monotonic clock is fast or slow. Default: 200. */
  readonly driftPpmMax?: number
  /** The most that the clock of a server that is right is off. Default: 1 ms, to which a host is read. */
  readonly serverError?: Duration.Input
}): Layer.Layer<TimeSource, ChannelInUse | InvalidClockOptions, Transport | NodeClock> =>
  Layer.effect(
    TimeSource,
    Effect.gen(function* () {
      const given = {
        servers: options.servers,
        falsetickersMax: options.falsetickersMax ?? Math.max(0, Math.ceil(options.servers.length / 2) - 1),
        pollMillis: millis(options.poll, defaults.pollMillis),
        timeoutMillis: millis(options.timeout, defaults.timeoutMillis),
        driftPpmMax: options.driftPpmMax ?? defaults.driftPpmMax,
        serverErrorMillis: millis(options.serverError, defaults.serverErrorMillis)
      }
      const settled = yield* settings(Settings, given, wrong)
      return timeSource(yield* discipline(protocol, settled), ({ latest }) => latest)
    })
  )
