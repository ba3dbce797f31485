/** A trace as what has to be done for its run to happen again: what each step is caused by, and when timers run out. */
import { Trace } from "@troupe/trace"
import { Result } from "effect"

export interface Script {
  readonly nodes: ReadonlyArray<string>
  /** The one at index k is step k + 1. */
  readonly events: ReadonlyArray<Trace.Event>
  /** The steps at which each node starts, a life after the other. */
  readonly starts: ReadonlyMap<string, ReadonlyArray<number>>
  /** The first step at which no node is still to start for the first time. */
  readonly begun: number
  /** By step, by timer: the later step at which a timer that this one sets runs out, where it does. */
  readonly timeouts: ReadonlyMap<number, ReadonlyMap<string, number>>
  readonly hasViews: boolean
  /** The properties that the trace says are broken. */
  readonly claims: ReadonlyArray<string>
}

export const make = (trace: Trace.Trace): Result.Result<Script, Trace.MalformedTrace> => {
  const { dropped = 0, nodes } = trace.header
  if (dropped > 0) return malformed(1, `${dropped} events at its beginning are missing; a replay needs all of them`)
  const reader = new Reader(nodes)
  for (const [index, event] of trace.events.entries()) {
    const wrong = reader.read(event, index + 1)
    if (wrong !== undefined) return malformed(index + 2, wrong)
  }
  return Result.succeed({
    nodes,
    events: trace.events,
    starts: reader.starts,
    begun: Math.max(0, ...[...reader.starts.values()].map(([first]) => first!)),
    timeouts: timeoutsOf(trace.events),
    hasViews: trace.events.some((event) => event._tag === "Step" && event.input._tag === "View"),
    claims: trace.events.flatMap((event) =>
      event._tag === "Note" && event.broken ? [event.text.replace(/^broken: /, "")] : []
    )
  })
}

const malformed = (line: number, reason: string) => Result.fail(new Trace.MalformedTrace({ line, reason }))

interface Sent extends Trace.Sending {
  readonly from: string
  lost: boolean
}

/** Goes through the events in order, and says what cannot follow on what came before. */
class Reader {
  readonly starts = new Map<string, Array<number>>()
  private readonly nodes: ReadonlyMap<string, { up: boolean; started: boolean }>
  private readonly sent = new Map<number, Sent>()

  constructor(nodes: ReadonlyArray<string>) {
    this.nodes = new Map(nodes.map((node) => [node, { up: true, started: false }]))
  }

  read(event: Trace.Event, step: number): string | undefined {
    switch (event._tag) {
      case "Step":
        return this.step(event, step)
      case "Crash":
      case "Restart": {
        const node = this.nodes.get(event.node)
        if (node === undefined) return unnamed(event.node)
        const restarts = event._tag === "Restart"
        if (node.up === restarts)
          return `node "${event.node}" ${restarts ? "restarts while it is up" : "is down already"}`
        Object.assign(node, { up: restarts, started: false })
        return undefined
      }
      case "Lost": {
        const message = this.sent.get(event.id)
        if (message === undefined) return `message ${event.id} is lost, and was not sent before`
        message.lost = true
        return undefined
      }
      case "Split": {
        const stranger = event.parts.flat().find((node) => !this.nodes.has(node))
        return stranger === undefined ? undefined : unnamed(stranger)
      }
      case "Note":
        return undefined
      case "Sent":
      case "Received":
      case "Stop":
        return `${event._tag} is what a program does beside its actor; only steps of actors are replayed`
    }
  }

  private step({ actions, input, node: name, ...event }: Step, step: number): string | undefined {
    const node = this.nodes.get(name)
    if (node === undefined) return unnamed(name)
    if (event.failure !== undefined) return "its handler threw; only what a model checker may find is replayed"
    if (!node.up) return `node "${name}" takes a step while it is down`
    if (node.started === (input._tag === "Start")) {
      return `node "${name}" ${node.started ? "starts twice in one life" : "takes a step before its start"}`
    }
    if (input._tag === "Start") {
      node.started = true
      const starts = this.starts.get(name)
      if (starts === undefined) this.starts.set(name, [step])
      else starts.push(step)
    }
    const wrong = input._tag === "Message" ? this.receipt(name, input) : undefined
    if (wrong !== undefined) return wrong
    for (const action of actions) {
      if (action._tag !== "Send") continue
      if (this.sent.has(action.id)) return `message ${action.id} is sent twice`
      this.sent.set(action.id, { ...action, from: name, lost: false })
    }
    return undefined
  }

  private receipt(node: string, { from, id }: Extract<Trace.Input, { _tag: "Message" }>): string | undefined {
    if (id === undefined) return "it does not say by its id which message is received"
    const sent = this.sent.get(id)
    if (sent === undefined) return `message ${id} is received, and was not sent before`
    if (sent.from !== from || sent.to !== node) {
      return `message ${id} went from "${sent.from}" to "${sent.to}", and is received from "${from}" by "${node}"`
    }
    return sent.lost ? `message ${id} is received after it was lost` : undefined
  }
}

type Step = Extract<Trace.Event, { readonly _tag: "Step" }>

const unnamed = (node: string): string => `the header does not name node "${node}"`

/** From the end to the beginning, so that what a timer comes to is known where it is set. */
const timeoutsOf = (events: ReadonlyArray<Trace.Event>): Script["timeouts"] => {
  const timeouts = new Map<number, Map<string, number>>()
  const comes = new Map<string, Map<string, number>>()
  for (let index = events.length - 1; index >= 0; index--) {
    const event = events[index]!
    if (event._tag !== "Step") continue
    let ofNode = comes.get(event.node)
    if (ofNode === undefined) comes.set(event.node, (ofNode = new Map()))
    for (const action of event.actions.toReversed()) {
      if (action._tag !== "SetTimer" && action._tag !== "ClearTimer") continue
      const at = ofNode.get(action.timer)
      ofNode.delete(action.timer)
      if (action._tag === "ClearTimer" || at === undefined) continue
      const set = timeouts.get(index + 1)
      if (set === undefined) timeouts.set(index + 1, new Map([[action.timer, at]]))
      else set.set(action.timer, at)
    }
    if (event.input._tag === "Timeout") ofNode.set(event.input.timer, index + 1)
  }
  return timeouts
}
