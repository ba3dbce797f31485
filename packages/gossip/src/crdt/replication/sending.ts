/** What a replica sends to its peers: the part of its log that they lack, or all that it has, in messages that fit. */
import { Codec, type NodeId } from "@troupe/transport"
import type { Crdt } from "../../Crdt.ts"
import {
  type Act,
  type Delta,
  having,
  lacking,
  type Logged,
  type Message,
  partsMax,
  type Sent,
  type State,
  TooLarge,
  type Transfer,
  transfersMax,
  unknown
} from "./state.ts"

/** A delta in parts that encode to no more than `bytes` each, where it can be divided so far. */
export type Divide<S> = (delta: S, bytes: number) => { readonly parts: ReadonlyArray<S>; readonly largest: number }

export const divider = <S>({ halves, schema }: Crdt<S>): Divide<S> => {
  const codec = Codec.binary(schema as Codec.MessageSchema<S>)
  const sizeOf = (delta: S): number => Codec.encode(codec, delta).length
  return (delta, bytes) => {
    const parts: Array<S> = []
    let largest = 0
    // Where a size says that so many halvings are needed, what is in between is not measured.
    const visit = (each: S, unmeasured: number): void => {
      const size = unmeasured > 0 ? undefined : sizeOf(each)
      const halved = size === undefined || size > bytes ? halves(each) : undefined
      if (halved === undefined) {
        largest = Math.max(largest, size ?? sizeOf(each))
        parts.push(each)
        return
      }
      const more = unmeasured > 0 ? unmeasured - 1 : Math.max(0, Math.ceil(Math.log2(size! / bytes)) - 1)
      visit(halved[0], more)
      visit(halved[1], more)
    }
    visit(delta, 0)
    return { parts, largest }
  }
}

/** Of a message, beside its delta. */
const envelopeBytes = 64

export const sentTo = <S>(state: State<S>, peer: NodeId.NodeId): Sent => state.sent.get(peer) ?? unknown

/** The log with one more change. A peer that lacked nothing but sent it lacks nothing still. */
export const log = <S>(state: State<S>, { delta, from }: Logged<S>, bufferedDeltas: number): State<S> => {
  const known = state.sent.get(from)
  const sent =
    known !== undefined && known.covered === state.logged
      ? having(state.sent, from, { ...known, covered: state.logged + 1 })
      : state.sent
  const kept = [...state.log.slice(Math.max(0, state.log.length + 1 - bufferedDeltas)), { delta, from }]
  return { ...state, sent, logged: state.logged + 1, log: kept }
}

/** How many changes are compared with a delta that arrives, to see whether its sender has them. */
const comparedMax = 64

/** If what `peer` has just sent includes all that it lacked, it lacks nothing. */
export const cover = <S>({ merge }: Crdt<S>, state: State<S>, peer: NodeId.NodeId, delta: S): State<S> => {
  const known = sentTo(state, peer)
  const pending = state.logged - known.covered
  if (known.acked < 0 || pending === 0 || pending > Math.min(comparedMax, state.log.length)) return state
  const lacked = state.log.slice(state.log.length - pending)
  if (lacked.some((each) => each.from !== peer && merge(delta, each.delta) !== delta)) return state
  const sent = having(state.sent, peer, { ...known, covered: state.logged })
  return { ...state, sent, transfers: lacking(state.transfers, peer) }
}

/** Sends a peer what it lacks, as far as the round's budget goes. */
export const push = <S>(
  crdt: Crdt<S>,
  divide: Divide<S>,
  state: State<S>,
  peer: NodeId.NodeId,
  act: Act<S>
): State<S> => {
  if (state.budget === 0) return state
  const transfer = state.transfers.get(peer) ?? prepare(crdt, divide, state, peer, act)
  if (transfer === undefined) return state
  const count = Math.min(state.budget, transfer.left.length)
  for (let i = 0; i < count; i++) act.send(peer, part(state, transfer, transfer.left[i]!))
  // Those that were sent go to the end: the others have their turn before they are sent again.
  const left = [...transfer.left.slice(count), ...transfer.left.slice(0, count)]
  const transfers = bounded(having(state.transfers, peer, { ...transfer, left }), peer)
  return { ...state, budget: state.budget - count, transfers: transfer.parts.length > 1 ? transfers : state.transfers }
}

const bounded = <A>(map: ReadonlyMap<NodeId.NodeId, A>, but: NodeId.NodeId): ReadonlyMap<NodeId.NodeId, A> => {
  if (map.size <= transfersMax) return map
  for (const node of map.keys()) if (node !== but) return lacking(map, node)
  return map
}

const part = <S>(state: State<S>, { after, parts, upTo }: Transfer<S>, number: number): Delta<S> => ({
  _tag: "Delta",
  replica: state.replica,
  life: state.life,
  restored: state.restored,
  after,
  upTo,
  part: number,
  parts: parts.length,
  delta: parts[number]!
})

const prepare = <S>(
  crdt: Crdt<S>,
  divide: Divide<S>,
  state: State<S>,
  peer: NodeId.NodeId,
  act: Act<S>
): Transfer<S> | undefined => {
  const { acked, covered } = sentTo(state, peer)
  if (covered === state.logged) return undefined
  const first = state.logged - state.log.length
  const isWhole = acked < 0 || covered < first
  const delta = isWhole ? state.value : interval(crdt, state.log.slice(covered - first), peer)
  const { packetBytes } = act.self.options
  const { largest, parts } = divide(delta, packetBytes - envelopeBytes)
  if (largest > packetBytes - envelopeBytes || parts.length > partsMax) {
    act.emit({ _tag: "Refused", from: act.self.id, failure: new TooLarge({ bytes: largest, packetBytes }) })
  }
  if (parts.length > partsMax) return undefined
  return { after: isWhole ? -1 : acked, upTo: state.logged, parts, left: parts.map((_, i) => i) }
}

/** A delta-interval: the changes joined, but for those that the peer has sent itself. */
const interval = <S>({ empty, merge }: Crdt<S>, changes: ReadonlyArray<Logged<S>>, peer: NodeId.NodeId): S => {
  const deltas = changes.flatMap(({ delta, from }) => (from === peer ? [] : [delta]))
  return deltas.length === 0 ? empty : deltas.reduce((joined, delta) => merge(joined, delta))
}

export const onAck = <S>(
  state: State<S>,
  from: NodeId.NodeId,
  { after, life, part, upTo }: Extract<Message<S>, { readonly _tag: "Ack" }>
): State<S> => {
  if (life !== state.life || upTo > state.logged) return state
  const transfer = state.transfers.get(from)
  if (part >= 0) {
    if (transfer?.upTo !== upTo || transfer.after !== after) return state
    const left = transfer.left.filter((each) => each !== part)
    // The last one is told by the peer itself, with a `part` of −1.
    return left.length === 0 ? state : { ...state, transfers: having(state.transfers, from, { ...transfer, left }) }
  }
  const { acked, covered } = sentTo(state, from)
  return {
    ...state,
    transfers: transfer !== undefined && transfer.upTo <= upTo ? lacking(state.transfers, from) : state.transfers,
    sent: having(state.sent, from, { acked: Math.max(acked, upTo), covered: Math.max(covered, upTo) })
  }
}

/**
 * The peer knows nothing of the log: it is sent all from the next push on. If parts are under way to it, it is sent the
 * others, unless it lacks one that it acknowledged: then it has forgotten.
 */
export const onAsk = <S>(
  state: State<S>,
  peer: NodeId.NodeId,
  { after, life, missing, upTo }: Extract<Message<S>, { readonly _tag: "Ask" }>
): State<S> => {
  const transfer = state.transfers.get(peer)
  const goesOn =
    transfer !== undefined &&
    life === state.life &&
    after === transfer.after &&
    upTo === transfer.upTo &&
    transfer.left.includes(missing)
  return goesOn ? state : { ...state, sent: lacking(state.sent, peer), transfers: lacking(state.transfers, peer) }
}
