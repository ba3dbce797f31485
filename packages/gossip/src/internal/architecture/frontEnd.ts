/**
 * A front end: it does its client's operations one after another, at whichever replica manager answers, and keeps the
 * timestamp of what the client has seen.
 */
import type { NodeId } from "@troupe/transport"
import type { Message, MessageOf } from "./messages.ts"
import { type Act, type Attempt, type Command, type FrontEnd, type Operation, partsOf, replicasOf } from "./state.ts"
import { merge, zero } from "./timestamps.ts"

/** How long a front end has nothing to say before it says just that its updates are answered: so many retries. */
const retriesBeforeAck = 2

export const init = (self: Act["self"]): FrontEnd => {
  const rank = Math.max(0, self.nodes.indexOf(self.id))
  return {
    life: 0,
    timestamp: zero(partsOf(self)),
    next: 1,
    queue: [],
    attempt: undefined,
    updatesAt: nearest(self.id, rank, replicasOf(self)),
    queriesAt: nearest(self.id, rank, answering(self)),
    unacknowledged: 0
  }
}

/** Itself, if it is one of them; else each front end another. */
const nearest = (self: NodeId.NodeId, rank: number, nodes: ReadonlyArray<NodeId.NodeId>): number =>
  nodes.includes(self) ? nodes.indexOf(self) : rank % nodes.length

/** Who answers queries: readers first. */
const answering = (self: Act["self"]): ReadonlyArray<NodeId.NodeId> => [...self.options.readers, ...replicasOf(self)]

export const onCommand = (state: FrontEnd, command: Command, act: Act): FrontEnd => {
  if (command._tag === "Learn") {
    const isOurs = command.timestamp.length === state.timestamp.length
    return isOurs ? { ...state, timestamp: merge(state.timestamp, command.timestamp) } : state
  }
  const { operation, ...body } = command
  if (state.queue.length >= act.self.options.requests) {
    act.emit({ _tag: "Failed", operation, reason: "busy" })
    return state
  }
  const queue = [...state.queue, { operation, sequence: state.next, body }]
  return begin({ ...state, queue, next: state.next + 1 }, act)
}

/** Begins the next operation, if none is under way. */
const begin = (state: FrontEnd, act: Act): FrontEnd => {
  const operation = state.queue[0]
  if (state.attempt !== undefined || operation === undefined) return state
  const message = messageOf(state, operation, act)
  return ask({ ...state, attempt: { message, startedMillis: act.monotonic(), count: 0, refusal: "silent" } }, act)
}

const messageOf = ({ life, timestamp }: FrontEnd, { body, sequence }: Operation, act: Act): Message =>
  body._tag === "Query"
    ? { _tag: "Query", life, sequence, prev: timestamp, query: body.query }
    : {
        _tag: "Update",
        request: {
          node: act.self.id,
          life,
          sequence,
          answered: sequence - 1,
          time: act.now(),
          prev: timestamp,
          update: body.update,
          order: body.order
        }
      }

/** Asks a replica manager: the same as last time at first, then one after another. */
const ask = (state: FrontEnd, act: Act): FrontEnd => {
  const { patienceMillis, retryMillis } = act.self.options
  const attempt = state.attempt!
  const left = attempt.startedMillis + patienceMillis - act.monotonic()
  const isQuery = attempt.message._tag === "Query"
  const nodes = isQuery ? answering(act.self) : replicasOf(act.self)
  const at = ((isQuery ? state.queriesAt : state.updatesAt) + (attempt.count > 0 ? 1 : 0)) % nodes.length
  act.send(nodes[at]!, attempt.message)
  act.setTimer("retry", Math.max(1, Math.min(retryMillis, left)))
  const asked = { ...state, attempt: { ...attempt, count: attempt.count + 1 } }
  return isQuery ? { ...asked, queriesAt: at } : { ...asked, updatesAt: at }
}

export const onRetry = (state: FrontEnd, act: Act): FrontEnd => {
  const { attempt } = state
  if (attempt === undefined) return state
  if (act.monotonic() - attempt.startedMillis < act.self.options.patienceMillis) return ask(state, act)
  act.emit({ _tag: "Failed", operation: state.queue[0]!.operation, reason: attempt.refusal })
  return next(state, attempt, act)
}

/** The operation is over: with an answer, or given up, and so never repeated. */
const next = (state: FrontEnd, { message }: Attempt, act: Act): FrontEnd => {
  const [{ sequence }, ...queue] = state.queue as [Operation, ...Array<Operation>]
  const isUpdate = message._tag === "Update"
  const unacknowledged = isUpdate ? sequence : state.unacknowledged
  const left = begin({ ...state, queue, attempt: undefined, unacknowledged }, act)
  if (left.attempt === undefined) act.clearTimer("retry")
  if (unacknowledged > 0) act.setTimer("ack", act.self.options.retryMillis * retriesBeforeAck)
  return left
}

/** Nothing followed the last update that would have said that it is answered. */
export const onAck = (state: FrontEnd, act: Act): FrontEnd => {
  if (state.attempt?.message._tag === "Update" || state.unacknowledged === 0) return state
  const to = replicasOf(act.self)[state.updatesAt]!
  act.send(to, { _tag: "Ack", life: state.life, answered: state.unacknowledged, time: act.now() })
  return { ...state, unacknowledged: 0 }
}

/** The attempt that an answer is to. */
const answered = (state: FrontEnd, { life, sequence }: { readonly life: number; readonly sequence: number }) =>
  life === state.life && state.queue[0]?.sequence === sequence ? state.attempt : undefined

export const onUpdated = (state: FrontEnd, message: MessageOf<"Updated">, act: Act): FrontEnd => {
  const attempt = answered(state, message)
  if (attempt?.message._tag !== "Update" || message.timestamp.length !== state.timestamp.length) return state
  const { operation } = state.queue[0]!
  act.emit({ _tag: "Updated", operation, timestamp: message.timestamp })
  return next({ ...state, timestamp: merge(state.timestamp, message.timestamp) }, attempt, act)
}

export const onAnswered = (state: FrontEnd, message: MessageOf<"Answered">, act: Act): FrontEnd => {
  const attempt = answered(state, message)
  if (attempt?.message._tag !== "Query" || message.timestamp.length !== state.timestamp.length) return state
  const { answer, timestamp } = message
  act.emit({ _tag: "Answered", operation: state.queue[0]!.operation, answer, timestamp })
  return next({ ...state, timestamp: merge(state.timestamp, timestamp) }, attempt, act)
}

/** Another may take it, when it is asked. */
export const onRefused = (state: FrontEnd, message: MessageOf<"Refused">): FrontEnd => {
  const attempt = answered(state, message)
  return attempt === undefined ? state : { ...state, attempt: { ...attempt, refusal: message.reason } }
}
