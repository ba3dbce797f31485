/** What happened on a way through a system's states, as a trace. */
import { Trace } from "@troupe/trace"
import type { System } from "../System.ts"
import type { Message, Outcome } from "./Locals.ts"

/** What happens between two states of a system. */
export type SystemHappening =
  | { readonly _tag: "Began"; readonly starts: ReadonlyArray<Outcome> }
  | { readonly _tag: "Delivered"; readonly message: Message; readonly outcome: Outcome; readonly stays: boolean }
  /** It came to a node that was down. */
  | { readonly _tag: "Missed"; readonly message: Message }
  | { readonly _tag: "Chose"; readonly member: number; readonly outcome: Outcome }
  | { readonly _tag: "Crashed"; readonly member: number; readonly node: string; readonly lost: ReadonlyArray<Message> }
  | { readonly _tag: "Restarted"; readonly member: number; readonly outcome: Outcome }
  | { readonly _tag: "Lost"; readonly message: Message }
  | {
      readonly _tag: "Split"
      readonly parts: ReadonlyArray<ReadonlyArray<string>>
      readonly lost: ReadonlyArray<Message>
    }
  | { readonly _tag: "Healed" }

/** In one line. */
export const describe = (happening: SystemHappening): string => {
  switch (happening._tag) {
    case "Began":
      return "start"
    case "Delivered":
      return `${happening.message.from} → ${happening.message.to}: ${text(happening.message.message)}`
    case "Missed":
      return `${happening.message.from} → ${happening.message.to}, which is down: ${text(happening.message.message)}`
    case "Chose": {
      const { input, next } = happening.outcome
      const { node } = next.cell
      return input._tag === "Timeout"
        ? `${node}: the timer ${input.timer} runs out`
        : input._tag === "Command"
          ? `${node}: ${text(input.command)}`
          : `${node}: ${text(input._tag === "View" ? input.view : input._tag)}`
    }
    case "Crashed":
      return `${happening.node} crashes`
    case "Restarted":
      return `${happening.outcome.next.cell.node} restarts`
    case "Lost":
      return `${happening.message.from} → ${happening.message.to}, lost: ${text(happening.message.message)}`
    case "Split":
      return `the network splits: ${happening.parts.map((part) => part.join(" ")).join(" | ")}`
    case "Healed":
      return "the network heals"
  }
}

const text = (value: unknown): string => (typeof value === "string" ? value : Trace.encodeValue(value))

/** The clock of each node and the messages in flight, by what they say. */
class Telling {
  readonly events: Array<Trace.Event> = []
  private readonly clocks: Array<Record<string, number>>
  private readonly inFlight = new Map<number, Array<{ readonly id: number; readonly clock: Trace.VectorClock }>>()
  private readonly nodes: ReadonlyArray<string>
  private messages = 0

  constructor(nodes: ReadonlyArray<string>) {
    this.nodes = nodes
    this.clocks = nodes.map(() => ({}))
  }

  step(member: number, outcome: Outcome, state: unknown, isSent: (k: number) => boolean, by?: Message, stays = false) {
    const node = this.nodes[member]!
    const received = by === undefined ? undefined : this.take(by, stays)
    const clock = this.tick(member, received?.clock)
    let sent = 0
    const lost: Array<number> = []
    const actions = outcome.actions.flatMap((action): ReadonlyArray<Trace.Action> => {
      if (action._tag !== "Send") return [action as Trace.Action]
      const id = ++this.messages
      const number = outcome.sends[sent]
      // To nobody there is: the space has no message for it.
      if (number === undefined || !this.nodes.includes(action.to)) lost.push(id)
      else if (isSent(sent++)) this.put(number, id, clock)
      else lost.push(id)
      return [{ _tag: "Send", id, to: action.to, message: action.message }]
    })
    const { input } = outcome
    this.events.push({
      _tag: "Step",
      node,
      clock,
      actor: node,
      input:
        input._tag === "Message"
          ? { _tag: "Message", from: input.from, message: input.message, ...(received && { id: received.id }) }
          : (input as Trace.Input),
      actions,
      state
    })
    for (const id of lost) this.events.push({ _tag: "Lost", id })
  }

  befall(tag: "Crash" | "Restart", member: number): void {
    this.events.push({ _tag: tag, node: this.nodes[member]!, clock: this.tick(member) })
  }

  lose(message: Message): void {
    const lost = this.take(message, false)
    if (lost !== undefined) this.events.push({ _tag: "Lost", id: lost.id })
  }

  private put(number: number, id: number, clock: Trace.VectorClock): void {
    const waiting = this.inFlight.get(number)
    if (waiting === undefined) this.inFlight.set(number, [{ id, clock }])
    else waiting.push({ id, clock })
  }

  private take(
    message: Message,
    stays: boolean
  ): { readonly id: number; readonly clock: Trace.VectorClock } | undefined {
    const waiting = this.inFlight.get(message.id)
    return stays ? waiting?.[0] : waiting?.shift()
  }

  private tick(member: number, heard: Trace.VectorClock = {}): Trace.VectorClock {
    const clock = this.clocks[member]!
    for (const node in heard) clock[node] = Math.max(clock[node] ?? 0, heard[node]!)
    const node = this.nodes[member]!
    clock[node] = (clock[node] ?? 0) + 1
    return { ...clock }
  }
}

export const traceOf = (
  system: System<any, any, any, any, any, any, any>,
  happenings: ReadonlyArray<SystemHappening>,
  states: ReadonlyArray<ReadonlyArray<unknown>>
): Trace.Trace => {
  const nodes = system.members.map(({ node }) => node)
  const telling = new Telling(nodes)
  const down = new Set<number>()
  let parts: ReadonlyArray<ReadonlyArray<string>> | undefined
  const passes = (from: string, to: string): boolean =>
    parts === undefined || parts.some((part) => part.includes(from) && part.includes(to))
  /** Whether the k-th message of a step goes on its way. */
  const isSent =
    (outcome: Outcome) =>
    (k: number): boolean => {
      const send = outcome.actions.filter(({ _tag }) => _tag === "Send")[k]
      if (send?._tag !== "Send") return false
      const isDown = down.has(nodes.indexOf(send.to)) && system.crashes?.restart !== true
      return !isDown && passes(outcome.next.cell.node, send.to)
    }
  for (const [index, happening] of happenings.entries()) {
    const state = (member: number): unknown => states[index]![member]
    switch (happening._tag) {
      case "Began":
        for (const [member, outcome] of happening.starts.entries()) {
          telling.step(member, outcome, outcome.next.state, isSent(outcome))
        }
        break
      case "Delivered": {
        const { message, outcome, stays } = happening
        telling.step(message.target, outcome, state(message.target), isSent(outcome), message, stays)
        break
      }
      case "Chose":
        telling.step(happening.member, happening.outcome, state(happening.member), isSent(happening.outcome))
        break
      case "Missed":
      case "Lost":
        telling.lose(happening.message)
        break
      case "Crashed":
        down.add(happening.member)
        telling.befall("Crash", happening.member)
        for (const message of happening.lost) telling.lose(message)
        break
      case "Restarted":
        down.delete(happening.member)
        telling.befall("Restart", happening.member)
        telling.step(happening.member, happening.outcome, state(happening.member), isSent(happening.outcome))
        break
      case "Split":
        parts = happening.parts
        telling.events.push({ _tag: "Split", parts })
        for (const message of happening.lost) telling.lose(message)
        break
      case "Healed":
        parts = undefined
        telling.events.push({ _tag: "Split", parts: [nodes] })
    }
  }
  return {
    header: { _tag: "Trace", version: 1, title: system.name, source: "model-checker", nodes },
    events: telling.events
  }
}
