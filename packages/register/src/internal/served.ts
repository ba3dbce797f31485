/**
 * Calls over links that lose: a caller that asks again until it is answered, and a host that does each call once. Pure, so
 * that a protocol of registers and one that needs a register can both be made of it.
 */
import type { Protocol } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"
import { Schema } from "effect"
import { Answer, answer, Call, type Cells } from "./cells.ts"

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

export const Message = Schema.Union([
  /** To the host: "do this"; "I know the answers of all requests up to `acknowledged`". */
  Schema.TaggedStruct("Request", { life: Natural, request: Natural, acknowledged: Natural, call: Call }),
  /** From the host. */
  Schema.TaggedStruct("Reply", { life: Natural, request: Natural, answer: Answer })
])
export type Message = typeof Message.Type
type Request = Extract<Message, { readonly _tag: "Request" }>
type Reply = Extract<Message, { readonly _tag: "Reply" }>

/** How a call came to its end. */
export type Ended =
  | { readonly _tag: "Answered"; readonly request: number; readonly answer: Answer }
  /** No answer came, and none is waited for any more. */
  | { readonly _tag: "GivenUp"; readonly request: number; readonly reason: string }

interface Open {
  readonly request: number
  readonly call: Call
  /** In times that "retry" has run out. */
  readonly age: number
}

interface Remembered {
  readonly request: number
  readonly answer: Answer
}

/** What the host remembers of a node since that has started. */
interface Caller {
  readonly life: number
  /** It never falls. What comes of a request up to here is late, and of no use to anybody. */
  readonly acknowledged: number
  /** The answers to compare-and-set beyond it: `window` at most. */
  readonly answers: ReadonlyArray<Remembered>
}

export interface State {
  // What a caller knows.
  /** Drawn when the node starts. */
  readonly life: number
  /** The calls that are not answered, in the order of asking; their numbers are less than `window` apart. */
  readonly open: ReadonlyArray<Open>

  // What the host knows.
  readonly cells: Cells
  /** The latest lives of each node, `livesKept` at most. */
  readonly callers: ReadonlyMap<NodeId.NodeId, ReadonlyArray<Caller>>
}

export interface Options {
  /** Who has the registers. Default: the lowest node. */
  readonly host?: NodeId.NodeId
  /** What is not answered is sent again after two such times, then four, eight, and so on. */
  readonly retryMillis: number
  /** After so many such times it is given up. */
  readonly giveUpAfter: number
}

export type Act = Pick<
  Protocol.Actions<Message, never, "retry", unknown>,
  "self" | "send" | "setTimer" | "clearTimer" | "random"
>

/** How far the numbers of a node's open calls may be apart. */
export const window = 256

/** A message of a life before these counts as new: a node would have to start so often while it is under way. */
export const livesKept = 4

export const init: State = { life: 0, open: [], cells: new Map(), callers: new Map() }

/** The node starts: what its earlier lives asked is told from what it will ask. */
export const start = (state: State, act: Act): State => ({ ...state, life: Math.floor(act.random() * 2 ** 52) })

export const hostOf = ({ nodes }: Protocol.Self, { host }: Options): NodeId.NodeId => host ?? nodes[0]!

/** Makes a call: `request` is higher than that of each earlier one. The host is answered at once. */
export const call = (
  state: State,
  request: number,
  call: Call,
  options: Options,
  act: Act
): readonly [State, Ended | undefined] => {
  const host = hostOf(act.self, options)
  if (host === act.self.id) {
    const answered = answer(state.cells, call)
    return [carryOut(state, call, answered), { _tag: "Answered", request, answer: answered }]
  }
  const [first] = state.open
  if (first !== undefined && request - first.request >= window) {
    return [state, { _tag: "GivenUp", request, reason: `${window} calls of this node are under way already` }]
  }
  const asking = { ...state, open: [...state.open, { request, call, age: 0 }] }
  if (first === undefined) act.setTimer("retry", options.retryMillis)
  act.send(host, ask(asking, request, call))
  return [asking, undefined]
}

export const receive = (
  state: State,
  from: NodeId.NodeId,
  message: Message,
  options: Options,
  act: Act
): readonly [State, Ended | undefined] => {
  const host = hostOf(act.self, options)
  if (message._tag === "Reply") return from === host ? hear(state, message, act) : [state, undefined]
  return [host === act.self.id ? serve(state, from, message, act) : state, undefined]
}

/** "retry" has run out: asks again for what has waited for twice as long as the last time, and gives up the oldest. */
export const retry = (state: State, options: Options, act: Act): readonly [State, ReadonlyArray<Ended>] => {
  const host = hostOf(act.self, options)
  const aged = state.open.map((open) => ({ ...open, age: open.age + 1 }))
  const next = { ...state, open: aged.filter(({ age }) => age < options.giveUpAfter) }
  for (const { age, call, request } of next.open) {
    if (age >= 2 && Number.isInteger(Math.log2(age))) act.send(host, ask(next, request, call))
  }
  if (next.open.length > 0) act.setTimer("retry", options.retryMillis)
  const reason = `${host} has not answered`
  const ended = aged.slice(0, aged.length - next.open.length)
  return [next, ended.map(({ request }) => ({ _tag: "GivenUp", request, reason }))]
}

const ask = ({ life, open }: State, request: number, call: Call): Request => ({
  _tag: "Request",
  life,
  request,
  acknowledged: open[0]!.request - 1,
  call
})

/** The host does what it is asked for, once. */
const serve = (state: State, from: NodeId.NodeId, message: Request, act: Act): State => {
  const { call, life, request } = message
  const reply = (answered: Answer): void => act.send(from, { _tag: "Reply", life, request, answer: answered })
  // Done twice, it answers twice; the caller takes the first, which was true while it waited.
  if (call._tag === "Read") {
    reply(answer(state.cells, call))
    return state
  }
  const lives = state.callers.get(from) ?? []
  const caller = acknowledge(
    lives.find((each) => each.life === life),
    message
  )
  if (request <= caller.acknowledged || request - caller.acknowledged > window) return state
  const before = caller.answers.find((each) => each.request === request)
  if (before !== undefined) {
    reply(before.answer)
    return state
  }
  const answered = answer(state.cells, call)
  reply(answered)
  const remembered = { ...caller, answers: [...caller.answers, { request, answer: answered }] }
  const callers = new Map(state.callers).set(from, withLife(lives, remembered))
  return carryOut({ ...state, callers }, call, answered)
}

/** The caller, without the answers that it knows. */
const acknowledge = (caller: Caller | undefined, { acknowledged, life }: Request): Caller => {
  if (caller === undefined) return { life, acknowledged, answers: [] }
  if (acknowledged <= caller.acknowledged) return caller
  return { life, acknowledged, answers: caller.answers.filter(({ request }) => request > acknowledged) }
}

/** The oldest life goes when there are too many. */
const withLife = (lives: ReadonlyArray<Caller>, caller: Caller): ReadonlyArray<Caller> => {
  const at = lives.findIndex(({ life }) => life === caller.life)
  return at >= 0 ? lives.with(at, caller) : [...lives.slice(-(livesKept - 1)), caller]
}

const carryOut = (state: State, call: Call, answered: Answer): State =>
  answered._tag === "Set" && call._tag === "CompareAndSet"
    ? { ...state, cells: new Map(state.cells).set(call.name, { version: answered.version, text: call.text }) }
    : state

const hear = (state: State, reply: Reply, act: Act): readonly [State, Ended | undefined] => {
  const { answer: answered, life, request } = reply
  const open = life === state.life ? state.open.filter((each) => each.request !== request) : state.open
  // It came before, or for an earlier life.
  if (open.length === state.open.length) return [state, undefined]
  if (open.length === 0) act.clearTimer("retry")
  return [
    { ...state, open },
    { _tag: "Answered", request, answer: answered }
  ]
}

/** By default a call is given up after 5 seconds. */
export const defaults: Options = { retryMillis: 50, giveUpAfter: 100 }
