/**
 * Lamport timestamps: numbers that never contradict causality, made total by the node.
 *
 * Pure values and functions without any service. If an event happened before another, its timestamp is lower; the
 * converse does not hold: a lower timestamp may also belong to a concurrent event.
 *
 * Source: L. Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System", CACM 21(7), 1978.
 *
 * @example
 * import { LamportTimestamp } from "@troupe/clocks"
 *
 * const sent = LamportTimestamp.next({ time: 4, node: "n1" })
 * const received = LamportTimestamp.receive({ time: 2, node: "n2" }, sent.time)
 * console.log(sent, received) // { time: 5, node: 'n1' } { time: 6, node: 'n2' }
 * console.log(LamportTimestamp.isBefore(sent, received)) // true
 */
import { NodeId } from "@troupe/transport"
import { type Order as EffectOrder, Schema } from "effect"
import { counted, Natural } from "./internal/Counting.ts"

export { CountOutOfRange } from "./internal/Counting.ts"

export const LamportTimestamp = Schema.Struct({
  /** Counts events, from 0 to 2⁵³ − 1. */
  time: Natural,
  node: NodeId.NodeId
})

export type LamportTimestamp = typeof LamportTimestamp.Type

/** The clock of a node before its first event. */
export const zero = (node: NodeId.NodeId): LamportTimestamp => ({ time: 0, node })

/** IR1: the clock of a node after an event of its own, such as sending. Throws `CountOutOfRange` past 2⁵³ − 1. */
export const next = (clock: LamportTimestamp): LamportTimestamp => ({
  time: counted(clock.time + 1),
  node: clock.node
})

/** IR2: the clock of a node after it received a message that was sent at `time`. Throws `CountOutOfRange` past 2⁵³ − 1. */
export const receive = (clock: LamportTimestamp, time: number): LamportTimestamp => ({
  time: counted(Math.max(clock.time, time) + 1),
  node: clock.node
})

/** The total order: by time, then by node. */
export const Order: EffectOrder.Order<LamportTimestamp> = (a, b) =>
  a.time !== b.time ? (a.time < b.time ? -1 : 1) : NodeId.Order(a.node, b.node)

/** Whether `a` comes before `b` in the total order. */
export const isBefore = (a: LamportTimestamp, b: LamportTimestamp): boolean => Order(a, b) < 0
