/** What a replica does with a delta that arrives. */
import type { NodeId } from "@troupe/transport"
import { type Crdt, ReplicaReused } from "../../Crdt.ts"
import { cover, log } from "./sending.ts"
import { type Act, ask, asRefusal, type Delta, having, type Heard, type State } from "./state.ts"

/**
 * Merges a delta if all that it stands on was merged before (causal delivery: Almeida et al. 2018, §6.2), and says so;
 * else asks for the whole state.
 */
export const onDelta = <S>(
  crdt: Crdt<S>,
  state: State<S>,
  from: NodeId.NodeId,
  message: Delta<S>,
  act: Act<S>
): State<S> => {
  const before = state.heard.get(from)
  const reuse = reused(crdt, state, before, from, message, act)
  if (reuse !== undefined) {
    if (reuse !== "outlived") act.emit({ _tag: "Refused", from, failure: reuse })
    act.send(from, { _tag: "Reused", replica: message.replica, life: message.life })
    return state
  }
  const { after, delta, life, part, upTo } = message
  const heard = before?.life === life ? before : unheard(message)
  if (after > heard.upTo) {
    act.send(from, ask(heard))
    return state
  }
  if (upTo <= heard.upTo) {
    act.send(from, { _tag: "Ack", life, after, upTo: heard.upTo, part: -1 })
    return state
  }
  let value: S
  try {
    value = crdt.merge(state.value, delta)
  } catch (failure) {
    act.emit({ _tag: "Refused", from, failure: asRefusal(failure) })
    return state
  }
  const arrived = arrive(heard, message)
  act.send(from, { _tag: "Ack", life, after, upTo, part: arrived.upTo === upTo ? -1 : part })
  const known = cover(crdt, { ...state, heard: having(state.heard, from, arrived) }, from, delta)
  if (value === state.value) return known
  act.emit({ _tag: "Changed" })
  return log({ ...known, value }, { delta, from }, act.self.options.bufferedDeltas)
}

const unheard = <S>({ life, replica, restored }: Delta<S>): Heard => ({
  ...{ life, replica, restored },
  upTo: -1,
  arriving: undefined
})

/** What has arrived, with one more part: the log counts as heard once there are all. */
const arrive = <S>(heard: Heard, { after, part, parts, upTo }: Delta<S>): Heard => {
  const { arriving } = heard
  const isSame = arriving?.after === after && arriving.upTo === upTo
  const arrived = new Set(isSame ? arriving.parts : []).add(part)
  return arrived.size === parts
    ? { ...heard, upTo, arriving: undefined }
    : { ...heard, arriving: { after, upTo, parts: arrived } }
}

/**
 * Whether the sender's name belongs to somebody else: to this node, to another peer, or to an earlier life of the sender
 * that made changes which it does not know of. `outlived`: it knows of less than the life that is known did when it began,
 * and is a message of a life before, which nobody hears the answer to, or of a later one.
 */
const reused = <S>(
  { known }: Crdt<S>,
  state: State<S>,
  before: Heard | undefined,
  from: NodeId.NodeId,
  { life, replica, restored }: Delta<S>,
  act: Act<S>
): ReplicaReused | "outlived" | undefined => {
  const taken = (by: NodeId.NodeId): ReplicaReused =>
    new ReplicaReused({ replica, reason: `"${by}" and "${from}" both use the name` })
  if (replica === state.replica && from !== act.self.id) return taken(act.self.id)
  for (const [node, other] of state.heard) if (node !== from && other.replica === replica) return taken(node)
  if (before === undefined || before.replica !== replica || before.life === life) return undefined
  if (restored < before.restored) return "outlived"
  const lost = known(state.value, replica) - restored
  return lost > 0
    ? new ReplicaReused({ replica, reason: `it started anew without ${lost} of its own changes, which others know` })
    : undefined
}
