/** What multicasts are checked for besides their cards: what each node is delivered, and in which order. */
import { Delivery } from "@troupe/consistency"
import { Property, type System } from "@troupe/model-checker"
import type { Multicast } from "@troupe/group"

/** Of each node, what it sent and was delivered, as `Delivery` reads it. */
export type History = Readonly<Record<string, ReadonlyArray<string>>>

const ordered = ["best-effort", "reliable", "fifo"] as const

const guaranteed: Readonly<Record<string, ReadonlyArray<Multicast.Guarantee>>> = {
  "group/best-effort": ["best-effort"],
  "group/flooding": ["best-effort", "reliable"],
  "group/uniform": ["uniform"],
  "group/nak-reliable": ordered,
  "group/causal": [...ordered, "causal"],
  "group/causal-dependencies": [...ordered, "causal"],
  "group/total-sequencer": [...ordered, "causal", "total"],
  "group/total-token": [...ordered, "causal", "total"],
  "group/total-isis": [...ordered, "causal", "total"],
  "group/view-synchrony": [...ordered, "view-synchronous"]
}

export const record = (nodes: ReadonlyArray<string>): System.Record<History> => ({
  init: Object.fromEntries(nodes.map((node) => [node, []])),
  about: ({ _tag }) => _tag === "Commanded" || _tag === "Emitted" || _tag === "Crashed",
  note: (history, occurrence) => {
    const what = noteOf(occurrence)
    if (what === undefined || !("node" in occurrence)) return history
    return { ...history, [occurrence.node]: [...history[occurrence.node]!, what] }
  }
})

const noteOf = (occurrence: System.Occurrence): string | undefined => {
  if (occurrence._tag === "Crashed") return "crash"
  if (occurrence._tag === "Commanded") return `send ${occurrence.command.payload}`
  if (occurrence._tag !== "Emitted") return undefined
  const { event } = occurrence
  if (event._tag === "Delivered") return `deliver ${event.payload} ${event.view}`
  return event._tag === "Viewed" ? `view ${event.view.number} ${event.view.members.join(" ")}` : undefined
}

/** What its guarantees say of the order of deliveries, at any time; of the end, the card does. */
export const property = (name: string): Property.Property<System.View<any, History>> => {
  const guarantees = guaranteed[name] ?? ["best-effort"]
  const verdicts = new Map<string, boolean>()
  return Property.always(`deliveries are ${guarantees.join(", ")}`, ({ history }) => {
    const key = JSON.stringify(history)
    let verdict = verdicts.get(key)
    if (verdict === undefined) {
      verdict = Delivery.check(guarantees, Delivery.make(history), { complete: false })._tag === "Ok"
      verdicts.set(key, verdict)
    }
    return verdict
  })
}
