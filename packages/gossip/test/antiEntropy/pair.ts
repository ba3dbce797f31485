/** Two replicas that compare their stores by hand, message by message, with the bytes that this takes. */
import { AntiEntropy } from "@troupe/gossip"
import { Codec } from "@troupe/transport"
import { Hand } from "../epidemic/hand.ts"

export const { defaults, protocol } = AntiEntropy

const codec = Codec.binary(AntiEntropy.Message)

/** Of two texts the greater one stays. The text is the version too. */
export const storeOf = (values: Map<string, string>): AntiEntropy.Store => ({
  entries: () => Array.from(values, ([key, version]) => ({ key, version })),
  read: (key) => {
    const value = values.get(key)
    return value === undefined ? undefined : new TextEncoder().encode(value)
  },
  merge: (key, bytes) => {
    const value = new TextDecoder().decode(bytes)
    if (value > (values.get(key) ?? "")) values.set(key, value)
    return values.get(key)
  }
})

export class Replica {
  readonly hand: Hand<
    AntiEntropy.State,
    AntiEntropy.Message,
    AntiEntropy.Command,
    AntiEntropy.Event,
    AntiEntropy.Timer,
    AntiEntropy.Options
  >
  readonly id: string
  readonly values: Map<string, string>
  readonly comparisons: Array<AntiEntropy.Comparison> = []
  readonly refused: Array<AntiEntropy.Refusal> = []
  private readonly store: AntiEntropy.Store

  constructor(
    id: string,
    values: Iterable<readonly [string, string]>,
    options: Partial<AntiEntropy.Options> = {},
    random: () => number = () => 0
  ) {
    this.id = id
    this.values = new Map(values)
    this.store = storeOf(this.values)
    this.hand = new Hand(protocol, id, { ...defaults, ...options }, ["n1", "n2"], random)
    this.hand.command({ _tag: "Load", entries: this.store.entries() })
  }

  write(key: string, version: string): void {
    this.values.set(key, version)
    this.hand.command({ _tag: "Changed", changes: [{ key, version }] })
  }

  /** What the replica sends, once its store has done what it was asked for. */
  done({ events, sent }: ReturnType<typeof this.hand.timeout>): ReadonlyArray<AntiEntropy.Message> {
    const all: Array<AntiEntropy.Message> = [...sent]
    for (const event of events) {
      if (event._tag === "Fetch") {
        const entries = event.keys.map((key) => ({ key, value: this.store.read(key)! }))
        all.push(...this.done(this.hand.command({ _tag: "Give", to: event.to, entries })))
      } else if (event._tag === "Received") {
        const changes = event.entries.map(({ key, value }) => ({
          key,
          version: this.store.merge(key, value, event.from)
        }))
        all.push(...this.done(this.hand.command({ _tag: "Changed", changes })))
      } else if (event._tag === "Compared") this.comparisons.push(event)
      else this.refused.push(event.failure)
    }
    return all
  }

  round(): ReadonlyArray<AntiEntropy.Message> {
    return this.done(this.hand.timeout("round"))
  }

  hear(from: string, message: AntiEntropy.Message): ReadonlyArray<AntiEntropy.Message> {
    return this.done(this.hand.hear(from, message))
  }
}

export interface Traffic {
  /** By the tag of the message. */
  readonly bytes: Record<string, number>
  readonly messages: Record<string, number>
}

export const total = (counts: Record<string, number>, but: ReadonlyArray<string> = []): number =>
  Object.entries(counts).reduce((sum, [tag, count]) => (but.includes(tag) ? sum : sum + count), 0)

/** One round of `first`: its messages arrive, the answers to them, and so on, but for those that are lost. */
export const round = (
  first: Replica,
  second: Replica,
  traffic: Traffic = { bytes: {}, messages: {} },
  isLost: (message: AntiEntropy.Message) => boolean = () => false
): Traffic => {
  // A round of both begins: each has its messages.
  second.hand.timeout("round")
  const queue = first.round().map((message) => ({ to: second, from: first, message }))
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { from, message, to } = next
    const bytes = Codec.encode(codec, message)
    traffic.bytes[message._tag] = (traffic.bytes[message._tag] ?? 0) + bytes.length
    traffic.messages[message._tag] = (traffic.messages[message._tag] ?? 0) + 1
    if (isLost(message)) continue
    for (const answer of to.hear(from.id, Codec.decode(codec, bytes)))
      queue.push({ to: from, from: to, message: answer })
  }
  return traffic
}

/** Whether both have the same entries, and their trees say so. */
export const areSame = (first: Replica, second: Replica): boolean =>
  first.values.size === second.values.size &&
  [...first.values].every(([key, value]) => second.values.get(key) === value) &&
  first.hand.state.tree.root.hi === second.hand.state.tree.root.hi &&
  first.hand.state.tree.root.lo === second.hand.state.tree.root.lo

/** Rounds of both in turn until they are the same; how many. */
export const settle = (
  first: Replica,
  second: Replica,
  traffic?: Traffic,
  most = 200,
  isLost?: (message: AntiEntropy.Message) => boolean
): number => {
  for (let rounds = 1; rounds <= most; rounds++) {
    if (rounds % 2 === 1) round(first, second, traffic, isLost)
    else round(second, first, traffic, isLost)
    if (areSame(first, second)) return rounds
  }
  return Infinity
}
