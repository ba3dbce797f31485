/** Runs of a few nodes that exchange messages, with the truth of what happened before what: drawn from a seed. */

export type Random = (below: number) => number

/** Park and Miller's generator: enough to vary a test, and the same everywhere. */
export const randomOf = (seed: number): Random => {
  let state = (seed * 48_271 + 11) % 2_147_483_647
  return (below) => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
}

export interface Happening {
  /** Its place in the run, from 0. */
  readonly index: number
  readonly node: string
  /** Of a receipt: the index of the sending. */
  readonly sending?: number
  /** The events that happened before it, and itself. */
  readonly past: ReadonlySet<number>
}

export interface Execution {
  readonly nodes: ReadonlyArray<string>
  readonly events: ReadonlyArray<Happening>
}

/** Local events and sends, and receipts of any earlier event of another node: messages may be lost, late and doubled. */
export const execution = (seed: number, { nodeCount = 4, eventCount = 40 } = {}): Execution => {
  const random = randomOf(seed)
  const nodes = Array.from({ length: nodeCount }, (_, i) => `n${i + 1}`)
  const latest = new Map<string, Happening>()
  const events: Array<Happening> = []
  for (let index = 0; index < eventCount; index++) {
    const node = nodes[random(nodeCount)]!
    const sent = random(2) === 0 ? events[random(Math.max(1, events.length))] : undefined
    const sending = sent !== undefined && sent.node !== node ? sent : undefined
    const past = new Set([...(latest.get(node)?.past ?? []), ...(sending?.past ?? []), index])
    const event = { index, node, past, ...(sending && { sending: sending.index }) }
    events.push(event)
    latest.set(node, event)
  }
  return { nodes, events }
}

/** Goes through a run with a clock a node; returns each event's stamp. */
export const stamps = <Clock>(
  { nodes, events }: Execution,
  rules: {
    readonly zero: (node: string) => Clock
    readonly tick: (clock: Clock, node: string, event: Happening) => Clock
    readonly receive: (clock: Clock, node: string, sent: Clock, from: string, event: Happening) => Clock
  }
): ReadonlyArray<Clock> => {
  const clocks = new Map(nodes.map((node) => [node, rules.zero(node)]))
  const all: Array<Clock> = []
  for (const event of events) {
    const clock = clocks.get(event.node)!
    const next =
      event.sending === undefined
        ? rules.tick(clock, event.node, event)
        : rules.receive(clock, event.node, all[event.sending]!, events[event.sending]!.node, event)
    clocks.set(event.node, next)
    all.push(next)
  }
  return all
}

export const happenedBefore = (first: Happening, second: Happening): boolean =>
  first.index !== second.index && second.past.has(first.index)

/** How two events truly stand to each other. */
export const truth = (first: Happening, second: Happening): "before" | "after" | "equal" | "concurrent" => {
  if (first.index === second.index) return "equal"
  if (happenedBefore(first, second)) return "before"
  return happenedBefore(second, first) ? "after" : "concurrent"
}

/** Every ordered pair. */
export const pairs = <A>(values: ReadonlyArray<A>): ReadonlyArray<readonly [A, A]> =>
  values.flatMap((first) => values.map((second) => [first, second] as const))

export const seeds = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, i) => i + 1)

export const union = <A>(first: ReadonlySet<A>, second: Iterable<A>): ReadonlySet<A> => new Set([...first, ...second])

export const intersection = <A>(first: ReadonlySet<A>, second: ReadonlySet<A>): ReadonlySet<A> =>
  new Set([...first].filter((item) => second.has(item)))

export const difference = <A>(first: ReadonlySet<A>, second: ReadonlySet<A>): ReadonlySet<A> =>
  new Set([...first].filter((item) => !second.has(item)))

export const isSubset = <A>(first: ReadonlySet<A>, second: ReadonlySet<A>): boolean =>
  [...first].every((item) => second.has(item))

/** What was thrown. */
export const thrown = (run: () => unknown): unknown => {
  try {
    run()
  } catch (error) {
    return error
  }
  return undefined
}
