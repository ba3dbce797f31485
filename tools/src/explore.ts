/**
 * Explores every interleaving of a small system, breadth first: deliveries, timeouts and what users do, in any order.
 * Stops at the first system that breaks an invariant, with the shortest way there.
 */
import { type Card, Protocol } from "@troupe/actor"

/** What a user of a node may do next; `memo` is what the user then remembers, as JSON. */
export interface Move<Command, Memo> {
  readonly input: Protocol.Input<never, Command, never>
  readonly memo: Memo
}

export interface Exploration<State, Message, Command, Event, Timer extends string, Options, Memo, History> {
  readonly protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options>
  readonly nodes: ReadonlyArray<string>
  readonly options: Options
  /** Whether a message may overtake one that was sent before it on the same link. */
  readonly order: "any" | "fifo"
  readonly memo: Memo
  readonly user?: (node: string, state: State, memo: Memo) => ReadonlyArray<Move<Command, Memo>>
  /** Default: every timer that runs may run out at any time. */
  readonly timeouts?: boolean
  readonly history: History
  /** What happened, as far as an invariant needs it. Fails with the name of what it breaks. */
  readonly record?: (history: History, event: Event) => History | { readonly broken: string }
  readonly invariants: ReadonlyArray<{ readonly name: string; readonly holds: (all: Card.Snapshot<State>) => boolean }>
  /** Holds where nothing can happen any more. */
  readonly atEnd?: (nodes: ReadonlyArray<{ readonly state: State; readonly memo: Memo }>) => boolean
  readonly maxDepth?: number
  /** Default: 250,000. More than that is an error. */
  readonly maxSystems?: number
}

export interface Explored {
  readonly systems: number
  /** How many of them were ends. */
  readonly ends: number
  readonly broken: string | undefined
  /** The shortest way to what is broken. */
  readonly path: ReadonlyArray<string>
}

export const explore = <State extends object, Message, Command, Event, Timer extends string, Options, Memo, History>(
  given: Exploration<State, Message, Command, Event, Timer, Options, Memo, History>
): Explored => {
  const { invariants, nodes, protocol } = given
  const selves = nodes.map((node) => Protocol.self(node, nodes, given.options))
  interface Node {
    readonly state: State
    readonly timers: ReadonlyArray<Timer>
    readonly memo: Memo
  }
  interface Flight {
    readonly from: number
    readonly to: number
    readonly message: Message
  }
  interface System {
    readonly nodes: ReadonlyArray<Node>
    readonly flights: ReadonlyArray<Flight>
    readonly history: History
    readonly way: { readonly before: System; readonly what: string } | undefined
  }
  const texts = new WeakMap<object, string>()
  const text = (value: object): string => {
    const known = texts.get(value)
    if (known !== undefined) return known
    const made = JSON.stringify(value)
    texts.set(value, made)
    return made
  }
  const fingerprint = ({ flights, history, nodes }: System): string => {
    const under = flights.map(text)
    if (given.order === "any") under.sort()
    return `${nodes.map(text).join()}|${under.join()}|${JSON.stringify(history)}`
  }
  let broken: string | undefined
  const step = (
    before: System,
    at: number,
    input: Protocol.Input<Message, Command, Timer>,
    without?: Flight,
    memo?: Memo
  ) => {
    const node = before.nodes[at]!
    const { actions, state } = Protocol.step(protocol, selves[at]!, node.state, input)
    const flights = before.flights.filter((flight) => flight !== without)
    const timers = new Set(node.timers)
    let history = before.history
    if (input._tag === "Timeout") timers.delete(input.timer)
    for (const action of actions) {
      if (action._tag === "Send") flights.push({ from: at, to: nodes.indexOf(action.to), message: action.message })
      else if (action._tag === "SetTimer") timers.add(action.timer)
      else if (action._tag === "ClearTimer") timers.delete(action.timer)
      else {
        const next = given.record?.(history, action.event) ?? history
        if (typeof next === "object" && next !== null && "broken" in next) broken = next.broken
        else history = next as History
      }
    }
    const after = { state, timers: [...timers].sort(), memo: memo === undefined ? node.memo : memo }
    const what = `${nodes[at]} ${JSON.stringify(input)}`
    return { nodes: before.nodes.with(at, after), flights, history, way: { before, what } }
  }
  const next = (system: System): ReadonlyArray<System> => {
    const { flights } = system
    const isFirst = ({ from, to }: Flight, i: number): boolean =>
      flights.findIndex((other) => other.from === from && other.to === to) === i
    return [
      ...flights.flatMap((flight, i) =>
        given.order === "any" || isFirst(flight, i)
          ? [step(system, flight.to, { _tag: "Message", from: nodes[flight.from]!, message: flight.message }, flight)]
          : []
      ),
      ...system.nodes.flatMap(({ memo, state, timers }, at) => [
        ...(given.user?.(nodes[at]!, state, memo) ?? []).map((move) =>
          step(system, at, move.input, undefined, move.memo)
        ),
        ...(given.timeouts === false ? [] : timers).map((timer) => step(system, at, { _tag: "Timeout", timer }))
      ])
    ]
  }
  const pathTo = (system: System): ReadonlyArray<string> =>
    system.way === undefined ? [] : [...pathTo(system.way.before), system.way.what]

  let first: System = {
    nodes: selves.map((self) => ({ state: protocol.init(self), timers: [], memo: given.memo })),
    flights: [],
    history: given.history,
    way: undefined
  }
  for (const at of nodes.keys()) first = step(first, at, { _tag: "Start" })
  const seen = new Set([fingerprint(first)])
  let frontier: ReadonlyArray<System> = [first]
  let ends = 0
  for (let depth = 0; frontier.length > 0 && depth < (given.maxDepth ?? Infinity); depth++) {
    const found: Array<System> = []
    for (const system of frontier) {
      const successors = next(system)
      if (successors.length === 0) {
        ends++
        if (given.atEnd?.(system.nodes) === false)
          return { systems: seen.size, ends, broken: "deadlock freedom", path: pathTo(system) }
      }
      for (const after of successors) {
        const snapshot = after.nodes.map(({ state }, at) => ({ node: nodes[at]!, alive: true, state }))
        broken ??= invariants.find(({ holds }) => !holds(snapshot))?.name
        if (broken !== undefined) return { systems: seen.size, ends, broken, path: pathTo(after) }
        const key = fingerprint(after)
        if (seen.has(key)) continue
        seen.add(key)
        if (seen.size > (given.maxSystems ?? 250_000)) throw new RangeError(`more than ${seen.size - 1} systems`)
        found.push(after)
      }
    }
    frontier = found
  }
  return { systems: seen.size, ends, broken: undefined, path: [] }
}
