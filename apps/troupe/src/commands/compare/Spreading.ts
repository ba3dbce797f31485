/**
 * What nodes send to all, in the simulator: what came to whom, when and in which order, and what was sent for it.
 *
 * All algorithms have the same traffic on the same seed: when which node sends is drawn apart from what they draw.
 */
import { Faults, Simulation } from "@troupe/simulation"
import { Codec, type NodeId, Transport } from "@troupe/transport"
import { Clock, Effect } from "effect"
import { type Demonstration, type Stage, unwatched } from "../../Demonstration.ts"
import { names } from "../../worlds/World.ts"

export interface Given {
  readonly demonstration: Demonstration
  readonly nodes: number
  readonly seed: number
  /** How long a message takes, at least and at the most. */
  readonly delayMillis: readonly [number, number]
  /** When each node sends, in milliseconds after it can. */
  readonly schedule: ReadonlyArray<ReadonlyArray<number>>
  /** After so long since the last sending, what has not come will not. */
  readonly patienceMillis: number
  /** The first node crashes in the midst of its sending of this number: half of the others are sent nothing more. */
  readonly crashAt?: number
  /** In which what is sent is counted, from the first item on. Default: until all has come to all. */
  readonly countedMillis?: readonly [from: number, to: number]
}

interface Item {
  readonly from: NodeId.NodeId
  readonly sentMillis: number
  readonly gotMillis: Map<NodeId.NodeId, number>
}

export class Spreading {
  readonly items = new Map<string, Item>()
  /** The names of what came to each node, in their order. */
  readonly orders: ReadonlyMap<NodeId.NodeId, Array<string>>
  messages = 0
  background = 0
  bytes = 0
  /** Of items on their way in messages. */
  copies = 0
  latestMillis = 0
  wrong: string | undefined
  readonly living: Set<NodeId.NodeId>
  private readonly expected: number

  constructor({ nodes, schedule }: Given) {
    this.living = new Set(names(nodes))
    this.orders = new Map(names(nodes).map((node) => [node, []]))
    this.expected = schedule.reduce((sum, times) => sum + times.length, 0)
  }

  sends(node: NodeId.NodeId, item: string, atMillis: number): void {
    this.latestMillis = atMillis
    this.items.set(item, { from: node, sentMillis: atMillis, gotMillis: new Map() })
  }

  gets(node: NodeId.NodeId, item: string, atMillis: number): void {
    this.items.get(item)?.gotMillis.set(node, atMillis)
    this.orders.get(node)!.push(item)
  }

  /** All that was to be sent, by those that are up, has come to all of them. */
  get isComplete(): boolean {
    return this.items.size === this.expected && this.cameToAll(() => true)
  }

  cameToAll(isMeant: (item: Item) => boolean): boolean {
    for (const item of this.items.values()) {
      if (isMeant(item) && this.had(item) < this.living.size) return false
    }
    return true
  }

  /** How many of those that are up have it. */
  had({ gotMillis }: Item): number {
    let count = 0
    for (const node of this.living) if (gotMillis.has(node)) count++
    return count
  }

  /** Of each item that all have, how long that took. */
  toAllMillis(): ReadonlyArray<number> {
    return [...this.items.values()].flatMap((item) =>
      this.had(item) < this.living.size ? [] : [Math.max(...item.gotMillis.values()) - item.sentMillis]
    )
  }
}

/** An algorithm's own messages are told of, and dropped where the answer is `false`. */
const listened = (
  transport: Transport["Service"],
  { actor }: Demonstration,
  tell: (to: NodeId.NodeId, message: unknown, bytes: () => number) => boolean
): Transport["Service"] => ({
  ...transport,
  open: (channel, receive) => {
    const opened = transport.open(channel, receive)
    if (channel.name !== actor) return opened
    let latest: unknown
    let latestBytes = 0
    // What goes to all is encoded once.
    const bytes = (message: unknown): number => {
      if (message !== latest) latestBytes = Codec.encode(channel.codec, message as never).length
      latest = message
      return latestBytes
    }
    return Effect.map(opened, (send) => (to, message) => {
      if (tell(to, message, () => bytes(message))) send(to, message)
    })
  }
})

const copiesIn = (message: unknown): number => {
  const { item, items } = message as { readonly item?: unknown; readonly items?: unknown }
  return Array.isArray(items) ? items.length : item === undefined ? 0 : 1
}

/** One run of one seed: until all has come to all, or nothing more can be hoped for. */
export const spread = (given: Given) => {
  const { countedMillis: [from, to] = [0, Infinity], crashAt, demonstration, schedule } = given
  const nodes = names(given.nodes)
  const background = new Set(demonstration.card.cost.background)
  const seen = new Spreading(given)
  let isDying = false
  const program = (node: NodeId.NodeId) =>
    Effect.gen(function* () {
      const transport = yield* Transport
      const clock = yield* Clock.Clock
      const now = (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
      const place = nodes.indexOf(node)
      const times = schedule[place]!
      let count = 0
      let startMillis: number | undefined
      const stage: Stage = {
        ...unwatched,
        next: Effect.suspend(() => {
          startMillis ??= now()
          const at = times[count++]
          return at === undefined
            ? Effect.succeed(false)
            : Effect.as(Effect.sleep(Math.max(0, startMillis + at - now())), true)
        }),
        pause: () => Effect.void,
        sends: (item) => {
          seen.sends(node, item, now())
          if (place === 0 && count === crashAt) isDying = true
        },
        gets: (item) => seen.gets(node, item, now())
      }
      const tell = (to_: NodeId.NodeId, message: unknown, bytes: () => number): boolean => {
        if (isDying && place === 0 && nodes.indexOf(to_) > nodes.length / 2) return false
        const atMillis = now()
        if (atMillis < from || atMillis >= to || seen.items.size === 0) return true
        if (background.has((message as { readonly _tag: string })._tag)) seen.background++
        else seen.messages++
        seen.bytes += bytes()
        seen.copies += copiesIn(message)
        return true
      }
      yield* demonstration
        .program(stage)
        .pipe(Effect.provideService(Transport, listened(transport, demonstration, tell)))
    })
  return Effect.gen(function* () {
    const { violations } = yield* Simulation.run({
      ...{ seed: given.seed, nodes, duration: "1 day" },
      faults: { ...Faults.none, delayMillisMin: given.delayMillis[0], delayMillisMax: given.delayMillis[1] },
      program,
      test: ({ crash, world }) =>
        Effect.gen(function* () {
          const lastMillis = Math.max(...schedule.flat(), 0)
          const hasCome = (): boolean =>
            seen.living.size < nodes.length
              ? world.nowMillis > lastMillis + given.patienceMillis
              : seen.isComplete && (to === Infinity || world.nowMillis >= to)
          while (!hasCome() && world.nowMillis - Math.max(lastMillis, seen.latestMillis) < given.patienceMillis) {
            if (isDying && seen.living.delete(nodes[0]!)) yield* crash(nodes[0]!)
            yield* Effect.sleep(crashAt !== undefined && seen.living.size === nodes.length ? 1 : 50)
          }
        })
    })
    seen.wrong = violations.map(({ detail, name }) => `${name}, ${detail}`)[0]
    return seen
  })
}
