/** Random traces of a run that could have been, from a seed; and what their events were caused by, by definition. */
import { Trace, VectorClocks } from "@troupe/trace"

/** Park and Miller's generator: enough to vary tests, the same on any machine. */
export const numbers = (seed: number) => {
  let state = (seed * 16807 + 12345) % 2147483647
  const next = (): number => (state = (state * 16807) % 2147483647) / 2147483647
  const below = (count: number): number => Math.floor(next() * count)
  return { next, below, pick: <A>(items: ReadonlyArray<A>): A => items[below(items.length)]! }
}

const strange = [
  "",
  "a",
  "<b>&\"'",
  "zwei\nZeilen",
  "\u0000\u001b[31m",
  "日本語のノード",
  "x".repeat(120),
  "]]>",
  "# ; %% end"
]

const messages: ReadonlyArray<unknown> = [
  { _tag: "Request", time: 3, view: 0 },
  { _tag: "Reply", time: 3 },
  "ping",
  17,
  null,
  { type: "vote", granted: true, log: [1, { term: 2 }] },
  [1, 2, 3],
  ...strange
]

/** Steps, sends of programs, losses, duplicates, crashes, splits and notes. */
export const randomTrace = (seed: number, size = 60): Trace.Trace => {
  const { below, next, pick } = numbers(seed)
  const nodes = Array.from({ length: 1 + below(6) }, (_, at) => (next() < 0.1 ? `${strange[5]}${at}` : `n${at + 1}`))
  const clocks = new VectorClocks()
  const down = new Set<string>()
  const flying: Array<{
    id: number
    from: string
    to: string
    message: unknown
    clock: Trace.VectorClock
    isActors: boolean
  }> = []
  const events: Array<Trace.Event> = []
  const timed = next() < 0.7
  let [atMillis, id] = [0, 0]
  const time = (): { readonly atMillis?: number } => {
    if (next() < 0.7) atMillis += below(40) / 8
    return timed ? { atMillis } : {}
  }
  const send = (from: string, to: string, clock: Trace.VectorClock, isActors = true): Trace.Sending => {
    const sending = { id: ++id, to, message: pick(messages) }
    flying.push({ ...sending, from, clock, isActors })
    return sending
  }
  const step = (node: string, input: Trace.Input, cause?: Trace.VectorClock): void => {
    const clock = clocks.tick(node, cause)
    const actions = Array.from({ length: below(4) }, (): Trace.Action => {
      const kind = below(5)
      if (kind === 0) return { _tag: "Emit", event: pick(messages) }
      if (kind === 1) return { _tag: "SetTimer", timer: "t", delayMillis: 5 }
      return { _tag: "Send", ...send(node, next() < 0.05 ? "nobody" : pick(nodes), clock) }
    })
    const failure = next() < 0.03 ? { failure: pick(strange) } : {}
    events.push({ _tag: "Step", node, clock, ...time(), actor: "a", input, actions, state: pick(messages), ...failure })
  }
  while (events.length < size) {
    const node = pick(nodes)
    const kind = below(24)
    if (down.has(node)) {
      if (kind > 3) continue
      down.delete(node)
      events.push({ _tag: "Restart", node, clock: clocks.tick(node), ...time() })
    } else if (kind < 12 && flying.length > 0) {
      const at = below(flying.length)
      const { clock, from, id, isActors, message, to } = flying[at]!
      if (next() < 0.9) flying.splice(at, 1)
      if (down.has(to) || !nodes.includes(to) || next() < 0.1) events.push({ _tag: "Lost", id, ...time() })
      else if (!isActors) {
        const received = {
          _tag: "Received",
          node: to,
          clock: clocks.tick(to, clock),
          channel: "c",
          from,
          message,
          id
        } as const
        events.push({ ...received, ...time() })
      } else step(to, { _tag: "Message", from, message, ...(next() < 0.95 ? { id } : {}) }, clock)
    } else if (kind < 15) step(node, { _tag: "Command", command: pick(messages) })
    else if (kind < 17) step(node, { _tag: "Timeout", timer: pick(strange) })
    else if (kind === 17) step(node, { _tag: "Start" })
    else if (kind === 18) step(node, { _tag: "View", view: { number: 1, members: nodes } })
    else if (kind === 19) {
      down.add(node)
      events.push({ _tag: "Crash", node, clock: clocks.tick(node), ...time() })
    } else if (kind === 20) {
      const cut = below(nodes.length)
      const parts = [nodes.slice(0, cut), nodes.slice(cut)].filter((part) => part.length > 0)
      events.push({ _tag: "Split", parts, ...time() })
    } else if (kind === 21) {
      events.push({
        _tag: "Note",
        text: pick(strange),
        broken: next() < 0.3,
        ...(next() < 0.5 ? { nodes: [node] } : {}),
        ...time()
      })
    } else if (kind === 22) events.push({ _tag: "Stop", node, clock: clocks.tick(node), ...time(), actor: "a" })
    else {
      const clock = clocks.tick(node)
      events.push({ _tag: "Sent", node, clock, channel: "c", ...send(node, pick(nodes), clock, false), ...time() })
    }
  }
  return {
    header: Trace.header({ title: `seed ${seed} ${pick(strange)}`, source: "simulation", nodes: [...new Set(nodes)] }),
    events
  }
}

/** Lamport's relation by its definition: one node's order, sends before receipts, and what follows from both. */
export const causes = (events: ReadonlyArray<Trace.NodeEvent>): ReadonlyArray<ReadonlySet<number>> => {
  const sentBy = new Map<number, number>()
  const latest = new Map<string, number>()
  const all: Array<Set<number>> = []
  for (const [at, event] of events.entries()) {
    const id = Trace.receipt(event)?.id
    const direct = [latest.get(event.node), id === undefined ? undefined : sentBy.get(id)]
    const own = new Set<number>()
    for (const cause of direct) if (cause !== undefined) for (const one of [cause, ...all[cause]!]) own.add(one)
    all.push(own)
    latest.set(event.node, at)
    for (const { id } of Trace.sends(event)) sentBy.set(id, at)
  }
  return all
}

export const nodeEvents = ({ events }: Trace.Trace): ReadonlyArray<Trace.NodeEvent> =>
  events.filter((event) => "clock" in event)

/** Small by hand: a lock that is asked for, a message that is lost, a crash, and a property that breaks. */
export const small: Trace.Trace = {
  header: Trace.header({ title: "a small run", source: "simulation", nodes: ["n1", "n2", "n3"] }),
  events: [
    {
      _tag: "Step",
      node: "n1",
      clock: { n1: 1 },
      atMillis: 0,
      actor: "lock",
      input: { _tag: "Command", command: { _tag: "Acquire" } },
      actions: [
        { _tag: "Send", id: 1, to: "n2", message: { _tag: "Request", time: 1 } },
        { _tag: "Send", id: 2, to: "n3", message: { _tag: "Request", time: 1 } }
      ]
    },
    { _tag: "Lost", id: 2, atMillis: 0, reason: "lost" },
    {
      _tag: "Step",
      node: "n2",
      clock: { n1: 1, n2: 1 },
      atMillis: 2.5,
      actor: "lock",
      input: { _tag: "Message", from: "n1", message: { _tag: "Request", time: 1 }, id: 1 },
      actions: [{ _tag: "Send", id: 3, to: "n1", message: { _tag: "Reply", time: 1 } }]
    },
    { _tag: "Crash", node: "n3", clock: { n3: 1 }, atMillis: 3 },
    { _tag: "Split", parts: [["n1"], ["n2", "n3"]], atMillis: 4 },
    {
      _tag: "Step",
      node: "n1",
      clock: { n1: 2, n2: 1 },
      atMillis: 5,
      actor: "lock",
      input: { _tag: "Message", from: "n2", message: { _tag: "Reply", time: 1 }, id: 3 },
      actions: [{ _tag: "Emit", event: { _tag: "Acquired", token: 1 } }]
    },
    { _tag: "Note", text: "mutual exclusion", broken: true, atMillis: 5 }
  ]
}
