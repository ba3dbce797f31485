/**
 * What a multicast did, against what it guarantees: each order as a predicate over what nodes sent and delivered.
 *
 * A trace is, node by node, the events that its application saw, in its order: what it sent, what was delivered to it,
 * the views that it was told of, and its crashes. What follows a crash is another life of the node, which knows nothing of
 * the one before. Nothing is asked about time: a trace can be recorded over any network.
 *
 * Each predicate reads all events a constant number of times (`causal` and `total` times the number of nodes), and finds
 * the first event that breaks it. The definitions are those of V. Hadzilacos and S. Toueg, "Fault-Tolerant Broadcasts and
 * Related Problems", in S. Mullender (ed.), Distributed Systems, 1993; those of views are from G. Chockler, I. Keidar and
 * R. Vitenberg, "Group Communication Specifications: A Comprehensive Study", ACM Computing Surveys 33(4), 2001.
 *
 * A message belongs to the view in which it is delivered. Of the members of a view, those are asked for it who have
 * *survived* the view: who went on to the next one with the others or, at the end, are in the last one. Without views
 * everybody is asked who never crashed.
 *
 * @example
 * import { Delivery } from "@troupe/consistency"
 *
 * const trace = Delivery.make({
 *   n1: ["send a", "deliver a", "send b", "deliver b"],
 *   n2: ["deliver b", "deliver a"]
 * })
 * console.log(Delivery.check(["reliable", "total"], trace)._tag) // Violated
 * const verdict = Delivery.check(["reliable", "fifo"], trace)
 * if (verdict._tag === "Violated") console.log(verdict.reason) // n2 delivers b before a, which n1 sent before it.
 */
import type { Trace as RecordedTraces } from "@troupe/trace"
import * as Agreement from "./internal/delivery/agreement.ts"
import * as Orders from "./internal/delivery/orders.ts"
import { Run } from "./internal/delivery/Run.ts"
import { type Event, type Id, MalformedDeliveries, type Trace, type Verdict } from "./internal/delivery/Trace.ts"
import * as Views from "./internal/delivery/views.ts"

export { type Event, type Id, MalformedDeliveries, type Trace, type Verdict } from "./internal/delivery/Trace.ts"

/** As in `@troupe/group`'s `Multicast`; what each means here is said of the predicate of its name. */
export type Guarantee = "best-effort" | "reliable" | "uniform" | "fifo" | "causal" | "total" | "view-synchronous"

type RecordedTrace = RecordedTraces.Trace

// ------------------------------------------------------------------------------------------------------- the predicates

type Predicate = (trace: Trace) => Verdict

const predicate =
  (of: (run: Run) => Verdict): Predicate =>
  (trace) =>
    of(new Run(trace))

/** Nothing is delivered twice in one life. */
export const noDuplication: Predicate = predicate(Agreement.noDuplication)

/** What is delivered was sent, by whom it is said to be from, and not by the node itself later on. */
export const noCreation: Predicate = predicate(Agreement.noCreation)

/** What a correct node sends it delivers itself. A matter of the end: of a run that is over. */
export const selfDelivery: Predicate = predicate(Agreement.selfDelivery)

/** What a correct node sends, all correct nodes deliver. A matter of the end. */
export const validity: Predicate = predicate(Agreement.validity)

/** What one correct node delivers, all correct nodes deliver. A matter of the end. */
export const reliable: Predicate = predicate((run) => Agreement.agreement(run, false))

/** What any node delivers, be it one that crashed, all correct nodes deliver. A matter of the end. */
export const uniform: Predicate = predicate((run) => Agreement.agreement(run, true))

/** A node that delivers a message has delivered all that the same sender sent before it in the view, and nothing later. */
export const fifo: Predicate = predicate(Orders.fifo)

/**
 * A node that delivers a message has delivered all of the view that came before it: what its sender sent or had delivered
 * before, and what came before those. It has delivered nothing yet that came after it.
 */
export const causal: Predicate = predicate(Orders.causal)

/** Any two correct nodes deliver the messages that both deliver in one order. */
export const total: Predicate = predicate((run) => Orders.total(run, false))

/** Any two nodes do, crashed ones too. */
export const uniformTotal: Predicate = predicate((run) => Orders.total(run, true))

/**
 * A view has one list of members, and whoever is told of it is in it. Numbers grow. Nobody skips a view that it is in and
 * that another of its view went on to. A message is delivered in one view, the same everywhere, and not in one before the
 * view that its sender was in. Nodes that go from a view to the next together have delivered the same messages in it.
 */
export const viewSynchronous: Predicate = predicate(Views.viewSynchronous)

// ------------------------------------------------------------------------------------------------------------ together

const always: ReadonlyArray<(run: Run) => Verdict> = [Agreement.noCreation, Agreement.noDuplication]

/**
 * Whether a trace keeps these guarantees, and the rules that every multicast keeps: `noCreation` and `noDuplication`.
 * `total` with `uniform` is about crashed nodes too.
 *
 * `complete: false` is for a run that is still under way, where what is missing may come yet: the rules about the end are
 * left out. Throws `MalformedDeliveries`.
 */
export const check = (
  guarantees: ReadonlyArray<Guarantee>,
  trace: Trace,
  options: { readonly complete?: boolean } = {}
): Verdict => {
  const run = new Run(trace)
  for (const rule of rules(new Set(guarantees), options.complete ?? true)) {
    const verdict = rule(run)
    if (verdict._tag === "Violated") return verdict
  }
  return ok
}

const ok: Verdict = { _tag: "Ok" }

const rules = (guarantees: ReadonlySet<Guarantee>, complete: boolean): ReadonlyArray<(run: Run) => Verdict> => {
  const isUniform = guarantees.has("uniform")
  const isReliable = isUniform || guarantees.has("reliable")
  return [
    ...always,
    ...(guarantees.has("view-synchronous") ? [Views.viewSynchronous] : []),
    ...(guarantees.has("fifo") ? [Orders.fifo] : []),
    ...(guarantees.has("causal") ? [Orders.causal] : []),
    ...(guarantees.has("total") ? [(run: Run) => Orders.total(run, isUniform)] : []),
    ...(complete ? [Agreement.selfDelivery, Agreement.validity] : []),
    ...(complete && isReliable ? [(run: Run) => Agreement.agreement(run, isUniform)] : [])
  ]
}

// ---------------------------------------------------------------------------------------------------------- making traces

/**
 * A trace written by hand: `send a`, `deliver a`, `view 2 n1 n2`, `crash`. A delivery may name its view, `deliver a 2`.
 * Throws `MalformedDeliveries` for what it does not know.
 */
export const make = (nodes: Readonly<Record<string, ReadonlyArray<string>>>): Trace =>
  new Map(Object.entries(nodes).map(([node, lines]) => [node, lines.map((line, index) => parse(node, line, index))]))

const parse = (node: string, line: string, index: number): Event => {
  const [verb, first, ...rest] = line.split(" ")
  if (verb === "crash") return { _tag: "Crash" }
  if (verb === "send" && first !== undefined) return { _tag: "Send", id: first }
  if (verb === "deliver" && first !== undefined) {
    return { _tag: "Deliver", id: first, ...(rest[0] !== undefined && { view: Number(rest[0]) }) }
  }
  if (verb === "view" && Number.isInteger(Number(first))) return { _tag: "View", number: Number(first), members: rest }
  throw new MalformedDeliveries({
    node,
    index,
    reason: `"${line}" is none of "send <id>", "deliver <id>", "view <number> <members>" and "crash".`
  })
}

/**
 * What the multicasts of a recorded trace of `@troupe/trace` sent and delivered: the commands `Multicast` and the events
 * `Delivered` and `Viewed` of `actor`, and the crashes of nodes. `name` names a message by its payload; default: the payload
 * as text. A command that a protocol ignored counts as sent: trace what keeps to its room.
 */
export const fromTrace = (
  trace: RecordedTrace,
  actor: string,
  name: (payload: unknown) => string = (payload) => (typeof payload === "string" ? payload : JSON.stringify(payload))
): Trace => {
  const recorder = new Recorder(trace.header.nodes)
  for (const event of trace.events) {
    if (event._tag === "Crash") recorder.crashed(event.node)
    if (event._tag !== "Step" || event.actor !== actor) continue
    const { input, node } = event
    if (input._tag === "Command" && has(input.command, "Multicast")) recorder.sent(node, name(input.command["payload"]))
    for (const action of event.actions) {
      if (action._tag !== "Emit") continue
      const { event: emitted } = action
      if (has(emitted, "Viewed")) recorder.viewed(node, emitted["view"] as never)
      if (!has(emitted, "Delivered")) continue
      const { from, payload, view } = emitted
      recorder.delivered(node, name(payload), { from: `${from as string}`, view: Number(view) })
    }
  }
  return recorder.trace
}

const has = (value: unknown, tag: string): value is Readonly<Record<string, unknown>> =>
  (value as { readonly _tag?: unknown } | null | undefined)?._tag === tag

/** Takes down what happens, node by node. */
export class Recorder {
  private readonly events = new Map<string, Array<Event>>()

  constructor(nodes: ReadonlyArray<string> = []) {
    for (const node of nodes) this.events.set(node, [])
  }

  /** So far; what is recorded later shows in it too. */
  get trace(): Trace {
    return this.events
  }

  add(node: string, event: Event): void {
    const events = this.events.get(node)
    if (events === undefined) this.events.set(node, [event])
    else events.push(event)
  }

  sent(node: string, id: Id): void {
    this.add(node, { _tag: "Send", id })
  }

  delivered(node: string, id: Id, more: { readonly from?: string; readonly view?: number } = {}): void {
    this.add(node, { _tag: "Deliver", id, ...more })
  }

  viewed(node: string, view: { readonly number: number; readonly members: ReadonlyArray<string> }): void {
    this.add(node, { _tag: "View", number: view.number, members: view.members })
  }

  crashed(node: string): void {
    this.add(node, { _tag: "Crash" })
  }

  /** A send did not happen after all: it was refused. */
  retract(node: string, id: Id): void {
    const events = this.events.get(node) ?? []
    const at = events.findLastIndex((event) => event._tag === "Send" && event.id === id)
    if (at >= 0) events.splice(at, 1)
  }
}
