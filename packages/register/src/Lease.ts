/**
 * A lease in a register: one node at a time holds it, for a bounded time after its last sign. What a lock and an election
 * on leases share: pure functions over a state, for the handlers of a `Protocol`.
 *
 * The register holds who has the lease. To take, renew and free it is one compare-and-set each, so that every sign of a
 * holder is a new version. No node compares its clock with another's, and the register has none: a node that has seen one
 * version stand for as long as the lease takes it. The holder counts from before it asked for its last sign, the others
 * from after they saw it, so the holder's time ends first, if clocks run at rates within 1 ± ρ: it stops at
 * lease·(1−ρ)/(1+ρ), less the time that stopping takes.
 *
 * The version at which a lease was taken is its token: later leases have higher ones. That holds whatever clocks do; that
 * at most one node holds it rests on them, and on no node standing still unawares.
 *
 * Who finds the lease taken tells its holder, and looks again now and then; whoever frees it tells the first of those who
 * wait, hands it the others, and lets it go first. These messages make it quick and fair, and may be lost: nothing else
 * rests on them.
 *
 * Source: C. Gray, D. Cheriton, "Leases: An Efficient Fault-Tolerant Mechanism for Distributed File Cache Consistency",
 * SOSP 1989 (§5 for clocks that drift).
 */
import type { NodeId } from "@troupe/transport"
import { Option, Schema } from "effect"
import type { Answer as CellAnswer } from "./internal/cells.ts"
import {
  type Act,
  type Answer,
  type Answered,
  type Message,
  type Options,
  type Purpose,
  Record,
  type Request,
  type Sighting,
  type State,
  type Timer
} from "./internal/leases.ts"
import * as Served from "./internal/served.ts"

export {
  type Act,
  type Answer,
  type Answered,
  type Event,
  init,
  longestMillis,
  Message,
  type Options,
  Record,
  type Request,
  type Sighting,
  type State,
  type Timer
} from "./internal/leases.ts"

// ------------------------------------------------------------------------------------------------------ what one can do

export const start = (state: State, act: Act): State => ({ ...state, register: Served.start(state.register, act) })

/** Wants to have it from now on. */
export const hold = (state: State, act: Act): State => aimAt(state, "hold", act)

/** Wants to know who has it, and not to have it any more: frees it where it is this node's. */
export const watch = (state: State, act: Act): State => aimAt(state, "watch", act)

/** Wants nothing of it any more: frees it where it is this node's. */
export const leave = (state: State, act: Act): State => aimAt(state, "none", act)

/** Whoever holds the lease as far as this node knows; nobody where it has stood for its time. */
export const holder = ({ held, outlasted, seen }: State, self: NodeId.NodeId): Leaseholder | undefined => {
  if (held !== undefined) return { id: self, token: held.token }
  const id = seen?.record.holder ?? null
  return id === null || id === self || outlasted ? undefined : { id, token: seen!.record.token }
}

export interface Leaseholder {
  readonly id: NodeId.NodeId
  readonly token: number
}

/** The holder says so itself: as though the register had been looked at. */
export const told = (state: State, sighting: Sighting, act: Act): State =>
  sighting.version <= (state.seen?.version ?? -1) || state.held !== undefined || !wants(state)
    ? state
    : proceed(see(state, sighting, act), act)

export const onMessage = (state: State, from: NodeId.NodeId, message: Message, act: Act): State => {
  switch (message._tag) {
    case "Waiting":
      return onWaiting(state, from, act)
    case "Freed":
      return onFreed(state, message, act)
    default: {
      const { register: options } = act.self.options
      if (options === undefined) return state
      const [register, ended] = Served.receive(state.register, from, message, options, act)
      return onEnded({ ...state, register }, ended, act)
    }
  }
}

export const onTimeout = (state: State, timer: Timer, act: Act): State => {
  switch (timer) {
    case "renew":
      return state.held === undefined || state.call !== undefined ? state : renew(state, act)
    case "expire":
      return lose(state, act)
    case "outlast":
      return proceed({ ...state, outlasted: true }, act)
    case "poll":
      return look({ ...state, left: undefined }, act)
    case "retry": {
      const { register: options } = act.self.options
      if (options === undefined) return state
      const [register, ended] = Served.retry(state.register, options, act)
      return ended.reduce((next, each) => onEnded(next, each, act), { ...state, register } as State)
    }
  }
}

/** The register has answered. */
export const onAnswered = (state: State, { answer, call }: Answered, act: Act): State => {
  if (state.call === undefined || state.call.number !== call) return state
  const { atMillis, purpose } = state.call
  const over = { ...state, call: undefined }
  switch (answer._tag) {
    case "Unavailable":
      return onUnavailable(over, purpose, act)
    case "Is":
      return onSight(see(purpose === "take" ? sendOn(over, answer, act) : over, latest(over, answer, act), act), act)
    case "Set":
      return purpose === "free"
        ? onFree(over, answer.version, act)
        : onSign(over, purpose === "renew", answer.version, atMillis, act)
  }
}

// ------------------------------------------------------------------------------------------------------------- answers

const onUnavailable = (state: State, purpose: Purpose, act: Act): State => {
  // What was to be set may have been: only a look can tell.
  const doubtful = purpose === "read" ? state : forget(state, act)
  if (state.held === undefined) return pollLater(doubtful, act)
  act.setTimer("renew", renewEvery(act.self.options) / 4)
  return doubtful
}

/** The register is as `seen`. */
const onSight = (state: State, act: Act): State => {
  const isOwn = state.seen?.record.holder === act.self.id
  if (state.held !== undefined) return isOwn ? renew(state, act) : lose(state, act)
  return isOwn && (state.aim === "none" || state.aim === "watch") ? askFree(state, act) : proceed(state, act)
}

/** The register shows this node's sign, of a lease that it took or renewed. */
const onSign = (before: State, isRenewal: boolean, version: number, atMillis: number, act: Act): State => {
  const token = isRenewal ? before.seen!.record.token : version
  const state = see(before, { version, record: own(token, act) }, act)
  // It was left or lost while this was under way.
  if (isRenewal ? state.held === undefined : state.aim !== "hold") return onSight(state, act)
  const leftMillis = termMillis(act.self.options) - (act.monotonic() - atMillis)
  if (leftMillis <= 0) return isRenewal ? lose(state, act) : pollLater(state, act)
  act.setTimer("expire", leftMillis)
  act.setTimer("renew", Math.min(renewEvery(act.self.options), leftMillis))
  if (isRenewal) return state
  act.clearTimer("poll")
  act.emit({ _tag: "Acquired", token })
  return { ...state, held: { token } }
}

/** What was told while this was under way may be later. */
const latest = ({ freed, held }: State, { record, version }: Sighting, act: Act): Sighting =>
  freed > version && held === undefined ? { version: freed, record: free(act) } : { version, record }

/** Another took it first: who waits here is told that it was free, finds out who has it, and waits there. */
const sendOn = (state: State, { record }: Sighting, act: Act): State => {
  const { seen, waiters } = state
  if (record.holder === null || record.holder === act.self.id || seen?.record.holder !== null) return state
  for (const node of waiters) act.send(node, { _tag: "Freed", version: seen.version, waiters: [] })
  return { ...state, waiters: [] }
}

/** It is free. Who waits goes first, even where this node wants it again. */
const onFree = (before: State, version: number, act: Act): State => {
  const state = see(before, { version, record: free(act) }, act)
  const [first, ...others] = state.waiters
  if (first === undefined) return proceed(state, act)
  const wants = state.aim === "hold"
  act.send(first, { _tag: "Freed", version, waiters: wants ? [...others, act.self.id] : others })
  return pollLater({ ...state, waiters: [], left: { to: first, version } }, act)
}

/** Takes note of what the register is. The time of another node's lease begins when its latest sign is seen. */
const see = (state: State, sighting: Sighting, act: Act): State => {
  if (state.seen?.version === sighting.version) return { ...state, seen: sighting }
  const { holder, leaseMillis } = sighting.record
  if (holder === null || holder === act.self.id) act.clearTimer("outlast")
  else act.setTimer("outlast", leaseMillis)
  return { ...state, seen: sighting, outlasted: false }
}

const forget = (state: State, act: Act): State => {
  act.clearTimer("outlast")
  return { ...state, seen: undefined, outlasted: false }
}

// -------------------------------------------------------------------------------------------------------- those who wait

const onWaiting = (state: State, from: NodeId.NodeId, act: Act): State => {
  const { held, left, seen, waiters } = state
  // It was freed before this came.
  if (held === undefined && seen !== undefined && seen.record.holder === null && state.call === undefined) {
    const { version } = seen
    if (isLeft(state)) act.send(left!.to, { _tag: "Freed", version, waiters: [from] })
    else act.send(from, { _tag: "Freed", version, waiters: [] })
    return state
  }
  return waiters.includes(from) ? state : { ...state, waiters: [...waiters, from] }
}

const onFreed = (state: State, { version, waiters }: Extract<Message, { readonly _tag: "Freed" }>, act: Act): State => {
  if (state.aim !== "hold") {
    // It waits no longer: the next one does.
    const [first, ...others] = waiters.filter((node) => node !== act.self.id)
    if (first !== undefined) act.send(first, { _tag: "Freed", version, waiters: others })
    return look(state, act)
  }
  const { nodes, id } = act.self
  const joined = waiters.filter((node) => node !== id && nodes.includes(node) && !state.waiters.includes(node))
  const next = joined.length === 0 ? state : { ...state, waiters: [...state.waiters, ...new Set(joined)] }
  // To whom it was left has found it taken.
  if (state.call === undefined && isLeft(state) && version === state.seen!.version) {
    return proceed({ ...next, left: undefined }, act)
  }
  // Of what it knows better it is not told.
  if (state.held !== undefined || version <= (state.seen?.version ?? -1)) return next
  if (state.call !== undefined) return { ...next, freed: Math.max(state.freed, version) }
  return proceed(see(next, { version, record: free(act) }, act), act)
}

// --------------------------------------------------------------------------------------------------------------- steps

const aimAt = (before: State, aim: "none" | "watch" | "hold", act: Act): State => {
  if (before.aim === aim) return before
  if (aim === "hold") {
    // How long a lease has stood that it did not watch, it does not know.
    const isUnknown = before.aim === "none" && !isTakeable(before, act) && !isLeft(before)
    const state = isUnknown ? { ...before, seen: undefined } : before
    return proceed({ ...state, aim }, act)
  }
  act.clearTimer("renew")
  act.clearTimer("expire")
  if (aim === "none") {
    act.clearTimer("poll")
    act.clearTimer("outlast")
  }
  const state = { ...before, aim, held: undefined, outlasted: aim === "watch" && before.outlasted }
  // Else its answer comes first.
  return state.call === undefined ? onSight(state, act) : state
}

const wants = ({ aim }: State): boolean => aim === "hold" || aim === "watch"

/** Does what comes next, when nothing is under way. */
const proceed = (state: State, act: Act): State => {
  if (state.call !== undefined || state.held !== undefined || !wants(state)) return state
  if (state.aim === "watch") return state.seen === undefined ? askRead(state, act) : pollLater(state, act)
  if (isTakeable(state, act)) return askTake(state, act)
  const { record, version } = state.seen!
  const [holder, since] = isLeft(state) ? [state.left!.to, version] : [record.holder!, record.token]
  if (since !== state.awaited) act.send(holder, { _tag: "Waiting" })
  return pollLater({ ...state, awaited: since }, act)
}

const look = (state: State, act: Act): State => (state.call === undefined ? poll(state, act) : state)

/** Looks, or takes what it may take without a look. */
const poll = (state: State, act: Act): State => {
  if (state.held !== undefined || !wants(state)) return state
  return state.aim === "hold" && isTakeable(state, act) ? askTake(state, act) : askRead(state, act)
}

/**
 * Whether to try. A register that it has not looked at yet, it takes to be new: if it is not, the answer says what it is.
 * A lease of its own is one that its user has left, or of a life before a crash: nobody goes on under it.
 */
const isTakeable = (state: State, act: Act): boolean => {
  const { outlasted, seen } = state
  if (seen === undefined || outlasted || seen.record.holder === act.self.id) return true
  return seen.record.holder === null && !isLeft(state)
}

/** Whether another, to whom this node has left it, goes first. */
const isLeft = ({ left, seen }: State): boolean => left !== undefined && left.version === seen?.version

const lose = (state: State, act: Act): State => {
  const { held } = state
  if (held === undefined) return state
  act.clearTimer("renew")
  act.clearTimer("expire")
  act.emit({ _tag: "Lost", token: held.token })
  return { ...state, aim: "lost", held: undefined }
}

const renew = (state: State, act: Act): State =>
  state.seen === undefined
    ? askRead(state, act)
    : ask(
        state,
        "renew",
        { _tag: "CompareAndSet", expected: state.seen.version, record: own(state.held!.token, act) },
        act
      )

const askTake = (state: State, act: Act): State => {
  const expected = state.seen?.version ?? 0
  return ask(state, "take", { _tag: "CompareAndSet", expected, record: own(expected + 1, act) }, act)
}

const askFree = (state: State, act: Act): State =>
  ask(state, "free", { _tag: "CompareAndSet", expected: state.seen!.version, record: free(act) }, act)

const askRead = (state: State, act: Act): State => ask(state, "read", { _tag: "Read" }, act)

/** Looks again after a while, by chance, so that those who wait don't come all at once. */
const pollLater = (state: State, act: Act): State => {
  if (wants(state)) act.setTimer("poll", act.self.options.pollMillis * (0.5 + act.random()))
  return state
}

const own = (token: number, { self }: Act): Record => ({
  holder: self.id,
  token,
  leaseMillis: self.options.leaseMillis
})

const free = ({ self }: Act): Record => ({ holder: null, token: 0, leaseMillis: self.options.leaseMillis })

// --------------------------------------------------------------------------------------------------------- the register

/** Of a register that is served for one lease alone. */
const name = "lease"

const ask = (before: State, purpose: Purpose, request: Request, act: Act): State => {
  const { register: options } = act.self.options
  const number = before.calls + 1
  const state: State = { ...before, calls: number, call: { number, purpose, atMillis: act.monotonic() } }
  if (options === undefined) {
    act.emit({ _tag: "Ask", call: number, request })
    return state
  }
  const call =
    request._tag === "Read"
      ? ({ _tag: "Read", name } as const)
      : ({ _tag: "CompareAndSet", name, expected: request.expected, text: JSON.stringify(request.record) } as const)
  const [register, ended] = Served.call(state.register, number, call, options, act)
  return onEnded({ ...state, register }, ended, act)
}

const onEnded = (state: State, ended: Served.Ended | undefined, act: Act): State => {
  if (ended === undefined) return state
  const answer: Answer = ended._tag === "Answered" ? answerOf(ended.answer) : { _tag: "Unavailable" }
  return onAnswered(state, { _tag: "Answered", call: ended.request, answer }, act)
}

const answerOf = (answer: CellAnswer): Answer => {
  if (answer._tag === "Set") return answer
  const seen = answer._tag === "Is" ? sighting(answer.version, JSON.parse(answer.text)) : undefined
  return seen === undefined ? { _tag: "Unavailable" } : { _tag: "Is", ...seen }
}

const decode = Schema.decodeUnknownOption(Record)

/** What a register holds, where that is a lease; one that was never set is free. */
export const sighting = (version: number, value: unknown): Sighting | undefined => {
  const record = version === 0 ? unset : Option.getOrUndefined(decode(value))
  return record === undefined ? undefined : { version, record }
}

const unset: Record = { holder: null, token: 0, leaseMillis: 0 }

// ---------------------------------------------------------------------------------------------------------------- times

/** How long a holder goes on after its last sign, by its own clock. */
export const termMillis = ({ driftBound, leaseMillis, stopMillis }: Options): number =>
  (leaseMillis * (1 - driftBound)) / (1 + driftBound) - stopMillis

/** Two signs may fail before the third is too late. */
const renewEvery = (options: Options): number => termMillis(options) / 3

/** A crashed holder is replaced 5 seconds after its last sign. Clocks off by 1,000 parts per million are bad ones. */
export const defaults: Options = {
  leaseMillis: 5_000,
  driftBound: 0.001,
  stopMillis: 100,
  pollMillis: 625,
  register: Served.defaults
}
