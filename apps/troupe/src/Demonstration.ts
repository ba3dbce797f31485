/**
 * How an algorithm is shown: a program for each node, over the service that the algorithm is a layer for.
 *
 * The program asks its stage whether there is more to do, and says there what it is at. It knows neither the algorithm
 * nor the transport, so that a mutex is shown like every mutex, in memory as between processes.
 */
import type { Card, Protocol } from "@troupe/actor"
import { LogicalClock, NodeClock } from "@troupe/clocks"
import { Election, type Leader } from "@troupe/election"
import { FailureDetector, FailureNotification, type Status } from "@troupe/failure-detection"
import { type Delay, Mutex } from "@troupe/mutex"
import type { MemoryStorage } from "@troupe/storage"
import { type NodeId, Transport } from "@troupe/transport"
import { Context, Effect, Layer, Option, Random, type Scope, Stream } from "effect"

/** What a node is at, for a picture of it. */
export type Role = "leads" | "holds" | "has" | "waits" | "suspects" | "dead" | "rests"

/** What a node's program is handed. */
export interface Stage {
  /** Whether there is one more operation for this node; comes when it is time to begin. */
  readonly next: Effect.Effect<boolean>
  /** What an operation does, apart from its messages: takes time. */
  readonly work: Effect.Effect<void>
  /** This node has finished an operation. */
  readonly finished: Effect.Effect<void>
  /** `leader`: whom this node follows, of one that elects. */
  readonly show: (role: Role, detail?: string, leader?: Leader) => Effect.Effect<void>
  /** This node thinks this of another from now on; of somebody, where it can't tell of whom. */
  readonly says: (status: Status, about?: NodeId.NodeId) => Effect.Effect<void>
  /** Before an item that is to come to all: a while at random, of this at the most. */
  readonly pause: (mostMillis: number) => Effect.Effect<void>
  /** This node sends an item that is to come to all. */
  readonly sends: (item: string) => void
  /** This node has an item of that name from now on, its own too; and what it has now, for a picture. */
  readonly gets: (item: string, detail: string) => void
  /** A request of this node has been waiting for long. Without it, nobody listens. */
  readonly delayed?: (delay: Delay) => Effect.Effect<void>
  /** What this node has stored in earlier lives. Default: nothing. */
  readonly disk?: MemoryStorage.Store
  /** Whether this node stands for election. */
  readonly stands: boolean
}

/** Where there is always more to do, and nobody watches. */
export const unwatched: Stage = {
  next: Effect.succeed(true),
  work: Effect.void,
  finished: Effect.void,
  show: () => Effect.void,
  says: () => Effect.void,
  pause: (mostMillis) => Effect.flatMap(Random.next, (drawn) => Effect.sleep(drawn * mostMillis)),
  sends: () => {},
  gets: () => {},
  stands: true
}

/** What an algorithm is a layer for. */
export type Service =
  | "mutex"
  | "election"
  | "clock"
  | "detector"
  | "notification"
  | "time"
  | "membership"
  | "overlay"
  | "multicast"
  | "gossip"
  | "replica"

/** Whether what is counted is done once it has come to all. */
export const spreads = ({ service }: Pick<Demonstration, "service">): boolean =>
  service === "multicast" || service === "gossip" || service === "replica"

/** Numbers that are worth telling of an algorithm: by name, or by value how many nodes have it. */
export type Facts = Readonly<Record<string, number | Readonly<Record<string, number>>>>

export interface Demonstration {
  /** `package/algorithm`; of a variant that is not the default, with `--variant` and its name. */
  readonly name: string
  /** By their names, the default one, which is this, among them. */
  readonly variants?: Readonly<Record<string, Demonstration>>
  readonly facts?: (nodes: ReadonlyArray<NodeId.NodeId>) => Facts
  readonly card: Card.Card
  readonly service: Service
  readonly protocol: Protocol.Any
  /** What the protocol is run with. */
  readonly options: unknown
  /** The channel of the actor whose states the card's guarantees are about. */
  readonly actor: string
  /** What a run counts. */
  readonly operation: string
  /** Whether it never ends by itself: it is run for so many seconds, which are its operations. */
  readonly isOngoing: boolean
  /** How many operations there are, when `entries` are asked for. */
  readonly operations: (entries: number) => number
  /** Whether one operation at a time is under way, and not one of each node. */
  readonly inTurns: boolean
  /** The layer of a lock, for programs of one's own. */
  readonly lock?: Lock["layer"]
  /** The layer of an election, for programs of one's own. */
  readonly elects?: Electing["layer"]
  /** What a node does. What it spawns lives on in the scope when it is done: others may need an answer. */
  readonly program: (stage: Stage) => Effect.Effect<void, Error, Transport | Scope.Scope>
}

export interface Algorithm {
  /** A protocol; which messages and timers it has is nobody's concern here. */
  readonly protocol: { readonly name: string }
  readonly card: Card.Card
  /** Of an algorithm that takes options. */
  readonly defaults?: unknown
}

interface Lock extends Algorithm {
  readonly layer: (options: { readonly resource: string }) => Layer.Layer<Mutex, Error, Transport>
  /** Forms of it, the default one first, each with its card and its options. */
  readonly variants?: Readonly<Record<string, { readonly card: Card.Card; readonly options: object }>>
  readonly facts?: (nodes: ReadonlyArray<NodeId.NodeId>) => Facts
}

interface Electing extends Algorithm {
  readonly layer: () => Layer.Layer<Election, Error, Transport>
}

/** A lock, and each of its variants. */
export const mutex = (lock: Lock): Demonstration => {
  const shown = entries(lock)
  if (lock.variants === undefined) return shown
  const [, ...others] = Object.entries(lock.variants).map(([variant, { card, options }]) => {
    const name = `${lock.protocol.name} --variant ${variant}`
    const layer: Lock["layer"] = (given) => lock.layer({ ...given, ...options })
    return [variant, { ...entries({ ...lock, card, defaults: options, layer }), name }] as const
  })
  return { ...shown, variants: { [Object.keys(lock.variants)[0]!]: shown, ...Object.fromEntries(others) } }
}

/** Entries, taken in turns by all nodes. */
const entries = ({ card, defaults, facts, layer, protocol }: Lock): Demonstration => ({
  name: protocol.name,
  ...(facts === undefined ? {} : { facts }),
  card,
  service: "mutex",
  protocol: protocol as Protocol.Any,
  options: defaults,
  actor: `${protocol.name}/demo`,
  operation: card.cost.operation,
  isOngoing: false,
  operations: (entries) => entries,
  inTurns: true,
  lock: layer,
  program: Effect.fnUntraced(function* (stage) {
    const mutex = yield* build(Mutex, layer({ resource: "demo" }))
    if (stage.delayed !== undefined) yield* Effect.forkScoped(Stream.runForEach(mutex.delays, stage.delayed))
    while (yield* stage.next) {
      yield* stage.show("waits")
      yield* mutex.withLock((token) => Effect.andThen(stage.show("holds", `token ${token}`), stage.work))
      yield* stage.show("rests")
      yield* stage.finished
    }
  })
})

/** One election, by nodes that start at the same time. */
export const election = ({ card, defaults, layer, protocol }: Electing): Demonstration => ({
  name: protocol.name,
  card,
  service: "election",
  protocol: protocol as Protocol.Any,
  options: defaults,
  actor: protocol.name,
  operation: card.cost.operation,
  isOngoing: false,
  operations: () => 1,
  inTurns: true,
  elects: layer,
  program: Effect.fnUntraced(function* (stage) {
    const election = yield* build(Election, layer())
    if (!stage.stands) yield* election.resign
    const shown = Stream.runForEach(
      election.changes,
      Option.match({
        onNone: () => stage.show("waits", "for a leader"),
        onSome: (leader) =>
          leader.id === election.self
            ? stage.show("leads", `epoch ${leader.epoch}`, leader)
            : stage.show("rests", `follows ${leader.id}`, leader)
      })
    )
    yield* Effect.forkScoped(shown)
    // An election is over when nobody changes their mind for a while.
    const settled = election.changes.pipe(Stream.debounce("1 second"), Stream.filter(Option.isSome), Stream.runHead)
    const leader = Option.flatten(yield* settled)
    if (Option.isSome(leader) && leader.value.id === election.self) yield* stage.finished
  })
})

/** Stamped messages from each node to all others in turn. */
export const clock = ({
  card,
  defaults,
  layer,
  protocol
}: Algorithm & {
  readonly layer: Layer.Layer<LogicalClock, Error, Transport>
}): Demonstration => ({
  name: protocol.name,
  card,
  service: "clock",
  protocol: protocol as Protocol.Any,
  options: defaults,
  actor: protocol.name,
  operation: card.cost.operation,
  isOngoing: false,
  operations: (entries) => entries,
  inTurns: false,
  program: Effect.fnUntraced(function* (stage) {
    const { nodes, self } = yield* Transport
    const clock = yield* build(LogicalClock, layer)
    yield* Effect.forkScoped(
      Stream.runForEach(clock.events, ({ at, kind }) =>
        stage.show("rests", `time ${at.time}, ${kind === "receive" ? "after a receipt" : "after a sending"}`)
      )
    )
    const others = nodes.length === 1 ? nodes : nodes.filter((node) => node !== self)
    for (let i = nodes.indexOf(self); yield* stage.next; i++) {
      yield* clock.send(others[i % others.length]!)
      yield* stage.finished
      yield* stage.work
    }
  })
})

/** What each node thinks of the others, for so many seconds. */
export const detector = ({
  card,
  defaults,
  layer,
  protocol
}: Algorithm & {
  readonly layer: () => Layer.Layer<FailureDetector, Error, Transport>
}): Demonstration => ({
  ...ongoing({ card, defaults, protocol }),
  service: "detector",
  program: Effect.fnUntraced(function* (stage) {
    const detector = yield* build(FailureDetector, layer())
    const away = new Map<NodeId.NodeId, Status>()
    const show = Effect.suspend(() =>
      away.size === 0 ? stage.show("rests", "all are up") : stage.show("suspects", [...away.keys()].join(" "))
    )
    const follow = Stream.runForEach(detector.changes, ({ node, status }) => {
      if (status === "up") away.delete(node)
      else away.set(node, status)
      return Effect.andThen(stage.says(status, node), show)
    })
    yield* Effect.forkScoped(follow)
    yield* show
    yield* lasting(stage)
  })
})

/** A group of all nodes, which its first one makes, and makes anew when it has failed. */
export const notification = ({
  card,
  defaults,
  layer,
  protocol
}: Algorithm & {
  readonly layer: () => Layer.Layer<FailureNotification, Error, Transport>
}): Demonstration => ({
  ...ongoing({ card, defaults, protocol }),
  service: "notification",
  program: Effect.fnUntraced(function* (stage) {
    const { nodes, self } = yield* Transport
    const service = yield* build(FailureNotification, layer())
    yield* Effect.forkScoped(
      Stream.runForEach(service.notifications, () =>
        Effect.andThen(stage.says("down"), stage.show("suspects", "that the group has failed"))
      )
    )
    const create = Effect.gen(function* () {
      const group = yield* service.create(nodes)
      yield* stage.show("leads", "a group of all nodes")
      yield* service.failed(group)
    })
    // Who doesn't answer is not asked again soon: it may be dead.
    const again = Effect.catch(create, () => Effect.sleep("30 seconds"))
    if (self === nodes[0]) {
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep("500 millis"), again)))
    }
    yield* lasting(stage)
  })
})

/** Clocks that are kept right, or together, by those of the first nodes. */
export const time = ({
  card,
  defaults,
  layer,
  protocol
}: Algorithm & {
  readonly layer: (nodes: ReadonlyArray<NodeId.NodeId>) => Layer.Layer<NodeClock.NodeClock, Error, Transport>
}): Demonstration => ({
  ...ongoing({ card, defaults, protocol }),
  service: "time",
  program: Effect.fnUntraced(function* (stage) {
    const { nodes, self } = yield* Transport
    const clock = yield* build(NodeClock.NodeClock, layer(nodes))
    const show = Effect.flatMap(clock.state, ({ adjustedMillis, remainingMillis }) => {
      const moved = `moved by ${adjustedMillis.toFixed(3)} ms, ${Math.abs(remainingMillis).toFixed(3)} ms to go`
      return stage.show(self === nodes[0] ? "leads" : "rests", moved)
    })
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep("1 second"), show)))
    yield* show
    yield* lasting(stage)
  })
})

export const ongoing = ({ card, defaults, protocol }: Algorithm) => ({
  name: protocol.name,
  card,
  protocol: protocol as Protocol.Any,
  options: defaults,
  actor: protocol.name,
  operation: "second",
  isOngoing: true,
  operations: (seconds: number) => seconds,
  inTurns: true
})

/** For as long as there is a next second. The first node counts them. */
export const lasting = Effect.fnUntraced(function* (stage: Stage) {
  const { nodes, self } = yield* Transport
  while (yield* stage.next) {
    yield* stage.work
    if (self === nodes[0]) yield* stage.finished
  }
})

/** The service of a layer, which lives as long as the scope. */
export const build = <I, S, E, R>(
  service: Context.Key<I, S>,
  layer: Layer.Layer<I, E, R>
): Effect.Effect<S, E, R | Scope.Scope> => Effect.map(Layer.build(layer), (context) => Context.get(context, service))
