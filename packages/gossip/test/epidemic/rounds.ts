/**
 * Synchronous rounds over the very protocol, with nothing around it: all timers of a round run out, then all messages
 * arrive, in the order of sending, until none is left. The setting of the theory, and the lightest one to measure in.
 */
import { Protocol } from "@troupe/actor"

/** Numbers from 0 to 1 by mulberry32, the same for the same seed. */
export const seeded = (seed: number): (() => number) => {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

export const nodesOf = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, at) => `n${at + 1}`)

export interface World<State, Message, Command, Event> {
  readonly nodes: ReadonlyArray<string>
  readonly states: Array<State>
  /** Who crashed: hears and does nothing. */
  readonly dead: Set<number>
  /** Messages sent, of each tag. */
  readonly sent: Record<string, number>
  round: number
  readonly command: (at: number, command: Command) => void
  /** All timers of these names run out, at each node where they are set; then messages arrive until none is left. */
  readonly fire: (...timers: ReadonlyArray<string>) => void
  /** Messages arrive until none is left. */
  readonly settle: () => void
  onEvent: (at: number, event: Event) => void
  onSend: (from: number, to: string, message: Message) => void
}

export const world = <State, Message, Command, Event, Timer extends string, Options>(
  protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options>,
  given: {
    readonly nodes: number
    readonly options: Options
    readonly seed: number
    /** Of a round, by the clocks. */
    readonly roundMillis?: number
  }
): World<State, Message, Command, Event> => {
  const { roundMillis = 1_000 } = given
  const nodes = nodesOf(given.nodes)
  const places = new Map(nodes.map((node, at) => [node, at]))
  const selves = nodes.map((node) => Protocol.self(node, nodes, given.options))
  const random = seeded(given.seed)
  const timers = new Map<string, Uint8Array>()
  const timer = (name: string): Uint8Array => {
    let set = timers.get(name)
    if (set === undefined) timers.set(name, (set = new Uint8Array(nodes.length)))
    return set
  }
  let current = 0
  let to: Array<number> = []
  let from: Array<number> = []
  let messages: Array<Message> = []
  const send = (node: string, message: Message): void => {
    const tag = (message as { readonly _tag: string })._tag
    it.sent[tag] = (it.sent[tag] ?? 0) + 1
    it.onSend(current, node, message)
    to.push(places.get(node)!)
    from.push(current)
    messages.push(message)
  }
  const act: Protocol.Actions<Message, Event, Timer, Options> = {
    get self() {
      return selves[current]!
    },
    send,
    sendAll: (all, message) => {
      for (let i = 0; i < all.length; i++) send(all[i]!, message)
    },
    setTimer: (name) => void (timer(name)[current] = 1),
    clearTimer: (name) => void (timer(name)[current] = 0),
    emit: (event) => it.onEvent(current, event),
    now: () => it.round * roundMillis,
    monotonic: () => it.round * roundMillis,
    random
  }
  const settle = (): void => {
    for (let i = 0; i < to.length; i++) {
      current = to[i]!
      if (it.dead.has(current)) continue
      it.states[current] = protocol.onMessage(it.states[current]!, nodes[from[i]!]!, messages[i]!, act)
    }
    to = []
    from = []
    messages = []
  }
  const it: World<State, Message, Command, Event> = {
    nodes,
    states: selves.map((self) => protocol.init(self)),
    dead: new Set(),
    sent: {},
    round: 0,
    command: (at, command) => {
      current = at
      it.states[at] = protocol.onCommand(it.states[at]!, command, act)
    },
    fire: (...names) => {
      it.round++
      for (const name of names) {
        const set = timer(name)
        const due = set.slice()
        set.fill(0)
        for (let at = 0; at < nodes.length; at++) {
          if (due[at] === 0 || it.dead.has(at)) continue
          current = at
          it.states[at] = protocol.onTimeout!(it.states[at]!, name as Timer, act)
        }
      }
      settle()
    },
    settle,
    onEvent: () => {},
    onSend: () => {}
  }
  for (let at = 0; at < nodes.length; at++) {
    current = at
    if (protocol.onStart !== undefined) it.states[at] = protocol.onStart(it.states[at]!, act)
  }
  settle()
  return it
}
