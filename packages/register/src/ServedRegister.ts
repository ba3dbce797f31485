/**
 * Registers that one node serves: its host has the only copy, and every other node asks it.
 *
 * One copy, changed by one call at a time, is linearizable: a call takes effect when the host does it. Links may lose what
 * they carry, so a call that is not answered is sent again, ever more rarely, until it is answered or given up. The host
 * remembers how it answered each compare-and-set until its caller says that it knows: one that comes again is answered as
 * the first time, and not done anew. Calls are told apart by number, and the lives of a node by a number drawn at its start.
 *
 * It is not fault tolerant. While the host is down or cut off, calls end as `Unavailable`; when it comes back from a crash
 * it has forgotten everything, and versions begin anew.
 *
 * Source: A. Birrell, B. Nelson, "Implementing Remote Procedure Calls", ACM TOCS 2(1), 1984, §3 (there: to keep the last
 * answer of each caller); linearizability: M. Herlihy, J. Wing, TOPLAS 12(3), 1990.
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import { type ChannelInUse, type NodeId, Transport } from "@troupe/transport"
import { Duration, Effect, Layer, Option, type Scope } from "effect"
import type { Answer, Call } from "./internal/cells.ts"
import * as Served from "./internal/served.ts"
import { service } from "./internal/service.ts"
import { InvalidOptions, Register, Unavailable } from "./Register.ts"

// --------------------------------------------------------------------------------------------------- messages and state

export const Message = Served.Message
export type Message = Served.Message

/** A call of the local user. Of two calls the later has the higher number, from 1. */
export type Command = { readonly _tag: "Call"; readonly request: number; readonly call: Call }

export type Event = Served.Ended

export type State = Served.State

export type Options = Served.Options

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Served register",
  summary: "One node has the only copy of all registers; the others ask it, again where an answer does not come.",
  paper: {
    authors: "Andrew D. Birrell, Bruce Jay Nelson",
    title: "Implementing Remote Procedure Calls",
    venue: "ACM Transactions on Computer Systems 2(1)",
    year: 1984
  },
  assumes: {
    timing: "asynchronous",
    failures: "none",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "partition"]
  },
  guarantees: [
    {
      name: "one copy",
      kind: "always",
      description: "No two nodes have registers: what the host does is what there is.",
      holds: (nodes) => nodes.filter(({ alive, state }) => alive && state.cells.size > 0).length <= 1
    },
    {
      name: "bounded memory",
      kind: "always",
      description: "The host remembers no more answers of a node than its calls may be apart.",
      holds: (nodes) =>
        nodes.every(({ state }) =>
          [...state.callers.values()].every(
            (lives) => lives.length <= Served.livesKept && lives.every(({ answers }) => answers.length <= Served.window)
          )
        )
    },
    {
      name: "every call ends",
      kind: "eventually",
      description: "It is answered, or given up.",
      holds: (nodes) => nodes.every(({ alive, state }) => !alive || state.open.length === 0)
    },
    {
      name: "a register is set",
      kind: "sometimes",
      description: "The run has seen a compare-and-set succeed.",
      holds: (nodes) => nodes.some(({ state }) => state.cells.size > 0)
    }
  ],
  weaknesses: [
    {
      name: "the host forgets",
      description: "A host that crashes comes back without its registers: versions begin anew, and clients see it.",
      faults: "crash"
    },
    {
      name: "no host, no answer",
      description: "While the host is down or cut off, no call succeeds.",
      faults: "partition"
    }
  ],
  cost: {
    operation: "call",
    best: { text: "0 on the host", of: () => 0 },
    worst: { text: "2", of: (nodes) => (nodes === 1 ? 0 : 2) }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, "retry", Options> = {
  name: "register/served",
  card,
  message: Message,

  init: () => Served.init,

  onStart: Served.start,

  onCommand: (state, { call, request }, act) => {
    const [next, ended] = Served.call(state, request, call, act.self.options, act)
    if (ended !== undefined) act.emit(ended)
    return next
  },

  onMessage: (state, from, message, act) => {
    const [next, ended] = Served.receive(state, from, message, act.self.options, act)
    if (ended !== undefined) act.emit(ended)
    return next
  },

  onTimeout: (state, _retry, act) => {
    const [next, ended] = Served.retry(state, act.self.options, act)
    ended.forEach((each) => act.emit(each))
    return next
  }
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** The settings that `layer` has by default: the lowest node is the host, and a call is given up after 5 seconds. */
export const defaults: Options = Served.defaults

export interface LayerOptions {
  /** Who has the registers, the same on all nodes. Default: the lowest node of the transport. */
  readonly host?: NodeId.NodeId
  /** Tells apart registers that are served side by side. Default: `""`. */
  readonly name?: string
  /** How soon a call that is not answered is sent again, at the earliest. From 1 ms; default: 50 ms. */
  readonly retry?: Duration.Input
  /** When a call ends as `Unavailable`, from `retry` to 1 hour. Default: 5 seconds. */
  readonly giveUp?: Duration.Input
}

/** A `Register` that one node serves. Every node of the transport builds it, the host above all. */
export const layer = (options: LayerOptions = {}): Layer.Layer<Register, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(Register, make(options))

export const make = Effect.fnUntraced(function* (
  given: LayerOptions = {}
): Effect.fn.Return<Register["Service"], ChannelInUse | InvalidOptions, Transport | Scope.Scope> {
  const waiting = new Map<number, { readonly register: string; readonly resume: Resume }>()
  let latest = 0
  const end = (request: number, how: Effect.Effect<Answer> | string): void => {
    const call = waiting.get(request)
    if (call === undefined || !waiting.delete(request)) return
    call.resume(typeof how === "string" ? Effect.fail(new Unavailable({ register: call.register, reason: how })) : how)
  }
  const endAll = (reason: string): void => {
    for (const request of [...waiting.keys()]) end(request, reason)
  }
  const { nodes } = yield* Transport
  const actor = yield* Actor.spawn(protocol, {
    name: given.name === undefined ? protocol.name : `${protocol.name}/${given.name}`,
    options: yield* settings(given, nodes),
    onRestart: () => endAll("this node's part of it has started anew")
  })
  actor.subscribe((event) =>
    end(event.request, event._tag === "Answered" ? Effect.succeed(event.answer) : event.reason)
  )
  let closed: string | undefined
  const close = (reason: string) =>
    Effect.sync(() => {
      closed ??= reason
      endAll(reason)
    })
  yield* Effect.addFinalizer(() => close("its layer on this node is closed"))
  yield* Effect.forkScoped(Effect.catch(actor.failed, ({ message }) => close(message)))
  return service((call) =>
    Effect.callback<Answer, Unavailable>((resume) => {
      if (closed !== undefined) return resume(Effect.fail(new Unavailable({ register: call.name, reason: closed })))
      const request = ++latest
      waiting.set(request, { register: call.name, resume })
      actor.tell({ _tag: "Call", request, call })
      return Effect.sync(() => waiting.delete(request))
    })
  )
})

type Resume = (how: Effect.Effect<Answer, Unavailable>) => void

const settings = (
  { giveUp, host, retry }: LayerOptions,
  nodes: ReadonlyArray<NodeId.NodeId>
): Effect.Effect<Options, InvalidOptions> => {
  const refuse = (reason: string) => Effect.fail(new InvalidOptions({ reason }))
  const retryMillis = millis(retry, defaults.retryMillis)
  const giveUpMillis = millis(giveUp, defaults.retryMillis * defaults.giveUpAfter)
  if (!(retryMillis >= 1)) return refuse("retry is no duration from 1 ms")
  if (!(giveUpMillis >= retryMillis && giveUpMillis <= 3_600_000)) {
    return refuse("giveUp is no duration between retry and 1 hour")
  }
  if (nodes.length === 0) return refuse("there are no nodes")
  if (host !== undefined && !nodes.includes(host)) {
    return refuse(`its host, ${host}, is none of the nodes ${nodes.join(", ")}`)
  }
  const giveUpAfter = Math.ceil(giveUpMillis / retryMillis)
  return Effect.succeed({ ...(host === undefined ? {} : { host }), retryMillis, giveUpAfter })
}

const millis = (given: Duration.Input | undefined, otherwise: number): number =>
  given === undefined
    ? otherwise
    : Option.getOrElse(Option.map(Duration.fromInput(given), Duration.toMillis), () => NaN)
