/** The elections round a ring, as tests that go for each of them see one; and a ring without a driver, to count on. */
import { type Card, Protocol } from "@troupe/actor"
import { ChangRoberts, DolevKlaweRodeh, HighamPrzytycka, HirschbergSinclair, LeLann, Ring } from "@troupe/election"

export type State = Ring.State
export type Command = Ring.Command
export type Machine = Protocol.Protocol<any, any, Command, Ring.Event, never, Ring.Options>

export interface RingElection {
  readonly name: string
  readonly card: Card.Card<any>
  readonly protocol: Machine
  readonly layer: typeof Ring.layer
}

const modules = { Ring, ChangRoberts, HirschbergSinclair, DolevKlaweRodeh, HighamPrzytycka, LeLann }

export const ringElections: ReadonlyArray<RingElection> = Object.entries(modules).map(
  ([name, { card, layer, protocol }]) => ({ name, card, layer, protocol: protocol as Machine })
)

export const named = (name: keyof typeof modules): RingElection => ringElections.find((each) => each.name === name)!

export const nodesOf = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, at) => `P${at + 1}`)

/** All orders of `items`. */
export function* permutations<A>(items: ReadonlyArray<A>): Generator<ReadonlyArray<A>> {
  if (items.length <= 1) return yield items
  for (const [at, first] of items.entries())
    for (const rest of permutations([...items.slice(0, at), ...items.slice(at + 1)])) yield [first, ...rest]
}

/** All orders of a ring that are different: where it is cut does not matter. */
export const rings = (nodes: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> =>
  Array.from(permutations(nodes.slice(1)), (rest) => [nodes[0]!, ...rest])

interface Counted {
  /** Messages by tag. */
  readonly counts: Readonly<Record<string, number>>
  /** Without the announcement. */
  readonly electing: number
  readonly announcing: number
  readonly states: ReadonlyArray<State>
}

/** A number from 0 to 1, the same again for the same seed (mulberry32). */
export const chance = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
}

interface Count {
  /** In the order in which they stand on the ring. */
  readonly ring: ReadonlyArray<string>
  /** Who begins; the others are woken up. Default: all. */
  readonly begin?: ReadonlyArray<string>
  /** Picks which link delivers next. Default: what was sent first is delivered first. */
  readonly seed?: number
}

/** One election, without a driver: FIFO links, no failures. */
export const elect = ({ protocol }: Pick<RingElection, "protocol">, { ring, seed, begin = ring }: Count): Counted => {
  const nodes = [...ring].sort((a, b) => Number(a.slice(1)) - Number(b.slice(1)))
  const at = new Map(nodes.map((node, index) => [node, index]))
  const selves = nodes.map((node) => Protocol.self<Ring.Options>(node, nodes, { ring }))
  const states: Array<State> = selves.map((self) => protocol.init(self))
  const counts: Record<string, number> = {}
  /** Of each link that has messages under way, those, and where they go. */
  const links = new Map<string, { readonly from: string; readonly to: string; readonly messages: Array<any> }>()
  const order: Array<string> = []
  const acts = selves.map((self) => ({
    self,
    send: (to: string, message: { readonly _tag: string }) => {
      counts[message._tag] = (counts[message._tag] ?? 0) + 1
      const key = `${self.id} ${to}`
      const link = links.get(key) ?? { from: self.id, to, messages: [] }
      if (link.messages.push(message) === 1) links.set(key, link)
      order.push(key)
    },
    sendAll: () => {},
    setTimer: () => {},
    clearTimer: () => {},
    emit: () => {},
    now: () => 0,
    monotonic: () => 0,
    random: () => 0
  }))
  for (const node of begin) states[at.get(node)!] = protocol.onStart!(states[at.get(node)!], acts[at.get(node)!]!)
  const random = chance(seed ?? 0)
  for (let next = 0; next < order.length; next++) {
    // A random one of those under way moves to the front: links stay FIFO, whatever the order between them.
    if (seed !== undefined) {
      const chosen = next + Math.floor(random() * (order.length - next))
      const key = order[chosen]!
      order[chosen] = order[next]!
      order[next] = key
    }
    const { from, messages, to } = links.get(order[next]!)!
    const index = at.get(to)!
    states[index] = protocol.onMessage(states[index], from, messages.shift(), acts[index]!)
  }
  const announcing = counts["Coordinator"] ?? 0
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0)
  return { counts, electing: all - announcing, announcing, states }
}
