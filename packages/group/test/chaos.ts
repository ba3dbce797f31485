/**
 * A group whose views are agreed on by a script, in a world of faults: for what stands on the kernel. The script sees who is
 * up after a while, leaves out nodes that are, as a failure detector that is wrong would, and lets them in again.
 *
 * The application is the list of all that was delivered since the group began: a node that joins is given it.
 */
import { Actor, type Card, Membership, type Protocol } from "@troupe/actor"
import { Delivery } from "@troupe/consistency"
import { type Faults, Simulation } from "@troupe/simulation"
import { Duration, Effect, Queue, Random, Stream } from "effect"
import type { Command, Kernel } from "../src/internal/kernel.ts"
import { defaults, type Options } from "../src/internal/options.ts"
import type { State } from "../src/internal/state.ts"
import { type Event, room } from "../src/internal/step.ts"

export interface World {
  readonly protocol: Kernel<string, any>
  readonly options: Options
  readonly guarantees: ReadonlyArray<Delivery.Guarantee>
  readonly nodes: ReadonlyArray<string>
  readonly faults: Partial<Faults.Faults>
  /** How often the script leaves out a node that is up, each time that it looks. */
  readonly evictionProbability: number
  /** How long faults last, and members send; the run goes on until all is at rest. */
  readonly faultMillis: number
  /** On average, of each node. */
  readonly sendEveryMillis: number
  /** What holds of the states of its nodes all along is checked too. */
  readonly card?: Card.Card<any>
  /** Whether the script ever changes the members. Default: true. */
  readonly changes?: boolean
}

/** What a group may have to go through at the worst. */
export const chaos: Omit<World, "protocol"> = {
  options: { ...defaults, members: "views", transfers: true, pieceBytes: 512, window: 32, maxEarly: 256 },
  guarantees: ["reliable", "fifo", "view-synchronous"],
  nodes: ["n1", "n2", "n3", "n4"],
  evictionProbability: 0.2,
  faultMillis: 6_000,
  sendEveryMillis: 60,
  faults: {
    lossProbability: 0.05,
    duplicationProbability: 0.05,
    reorderProbability: 0.1,
    crashesPerMinute: 20,
    downMillisMin: 200,
    downMillisMax: 3000,
    partitionsPerMinute: 10,
    partitionMillisMin: 200,
    partitionMillisMax: 2000
  }
}

export interface Outcome {
  /** What is broken, in words. */
  readonly broken: ReadonlyArray<string>
  readonly deliveries: number
  readonly views: number
  /** Of how many views the state was asked for. */
  readonly transfers: number
  /** The most that a state has held. */
  readonly peaks: Peaks
  /** The longest from when a node was told of a view to when it was in it, in virtual time. */
  readonly worstMillis: number
}

interface Peaks {
  /** Messages of one member that were kept. */
  readonly kept: number
  /** Of those, the node's own that were under way. */
  readonly own: number
  readonly ahead: number
  readonly held: number
  readonly queue: number
}

type Member = Actor.Actor<State<string>, Command<string>, Event<string>>

export const run = async (seed: number, world: World): Promise<Outcome> => {
  const { faultMillis, nodes } = world
  const group = new Group(nodes)
  const result = await Effect.runPromise(
    Simulation.run({
      seed,
      nodes,
      faults: world.faults,
      duration: Duration.millis(faultMillis + 60_000),
      planned: Duration.millis(faultMillis),
      program: (node) => member(group, world, node),
      properties: world.card === undefined ? [] : Simulation.fromCard(world.card, world.protocol.name),
      test: ({ world: seen }) =>
        Effect.gen(function* () {
          yield* Effect.sleep("10 millis")
          group.publish(nodes)
          while (seen.nowMillis < faultMillis) {
            yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(50, 700)))
            const evicts = (yield* Random.next) < world.evictionProbability
            const evicted = evicts ? nodes[yield* Random.nextIntBetween(0, nodes.length)] : undefined
            if (world.changes !== false) group.publish(nodes.filter((node) => seen.isAlive(node) && node !== evicted))
          }
          group.isSending = false
          yield* Effect.sleep("10 seconds")
          if (world.changes !== false) group.publish(nodes)
          yield* Effect.sleep("1 second")
          group.isSending = true
          yield* Effect.sleep("1 second")
          group.isSending = false
          yield* Effect.sleep("15 seconds")
        })
    })
  )
  const verdict = Delivery.check(world.guarantees, group.recorder.trace)
  return {
    broken: [
      ...group.broken,
      ...result.violations.map(({ detail, name }) => `${name}: ${detail ?? ""}`),
      ...(verdict._tag === "Violated" ? [`${verdict.rule}: ${verdict.reason}`] : []),
      ...unrest(group)
    ],
    deliveries: group.deliveries,
    views: group.number,
    transfers: group.snapshots.size,
    peaks: group.peaks,
    worstMillis: group.worstMillis
  }
}

// ----------------------------------------------------------------------------------------------------------- one member

const member = (group: Group, { options, protocol, sendEveryMillis }: World, node: string) =>
  Effect.gen(function* () {
    const life = yield* group.join(node)
    const told = new Map<number, number>()
    const views = Stream.fromQueue(life.views).pipe(
      Stream.mapEffect((view) =>
        Effect.gen(function* () {
          yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 300)))
          told.set(view.number, yield* now)
          return view
        })
      )
    )
    const actor = yield* Actor.spawn(protocol, { options }).pipe(Effect.provideService(Membership, { views }))
    group.actors.set(node, actor)
    actor.subscribe((event) => take(group, node, actor, event))
    yield* Effect.forkScoped(
      Stream.runForEach(actor.events, (event) =>
        Effect.map(now, (at) => {
          if (event._tag !== "Viewed") return
          group.worstMillis = Math.max(group.worstMillis, at - (told.get(event.view.number) ?? at))
        })
      )
    )
    for (let i = 1; ; i++) {
      const pause = group.isSending ? yield* Random.nextIntBetween(1, 2 * sendEveryMillis) : 500
      yield* Effect.sleep(Duration.millis(pause))
      const { failed, joining, view } = actor.state()
      // Messages of an order take room as well.
      const isFull = room(actor.state(), options) === 0
      if (!group.isSending || isFull || joining !== undefined || failed !== undefined || view === undefined) continue
      const id = `${node}.${life.number}.${i}`
      group.recorder.sent(node, id)
      actor.tell({ _tag: "Multicast", payload: id })
      group.peak(actor.state())
    }
  })

const now = Effect.clockWith((clock) => Effect.succeed(clock.currentTimeMillisUnsafe()))

const take = (group: Group, node: string, actor: Member, event: Event<string>): void => {
  const { applications, recorder } = group
  switch (event._tag) {
    case "Viewed": {
      const { joined = [], members } = event.view
      // Let in anew: what it had before is void.
      if (joined.includes(node)) recorder.crashed(node)
      recorder.viewed(node, event.view)
      if (joined.length === members.length) applications.set(node, [])
      break
    }
    case "Delivered":
      group.deliveries++
      applications.get(node)!.push(event.payload)
      recorder.delivered(node, event.payload, { from: event.from, view: event.view })
      break
    case "Snapshot":
      actor.tell({ _tag: "Snapshot", view: event.view, state: encode(group.snapshot(node, event.view)) })
      break
    case "Install":
      applications.set(node, JSON.parse(new TextDecoder().decode(event.state)) as Array<string>)
      break
    case "Failed":
      // A group that has lost its state is founded anew.
      for (const each of event.reason.startsWith("nobody is left") ? group.nodes : [node]) group.again(each)
  }
  group.peak(actor.state())
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

// ------------------------------------------------------------------------------------------------------------- all of them

/** One life of a node, as the script knows it. */
interface Life {
  readonly node: string
  readonly number: number
  readonly views: Queue.Queue<Protocol.View>
}

class Group {
  readonly nodes: ReadonlyArray<string>
  readonly recorder: Delivery.Recorder
  readonly actors = new Map<string, Member>()
  readonly applications: Map<string, Array<string>>
  readonly snapshots = new Map<number, string>()
  readonly broken: Array<string> = []
  readonly peaks = { kept: 0, own: 0, ahead: 0, held: 0, queue: 0 }
  deliveries = 0
  worstMillis = 0
  isSending = true
  /** Of the latest view. */
  number = 0
  private members: ReadonlyArray<Life> = []
  private readonly latest = new Map<string, Life>()

  constructor(nodes: ReadonlyArray<string>) {
    this.nodes = nodes
    this.recorder = new Delivery.Recorder(nodes)
    this.applications = new Map(nodes.map((node) => [node, []]))
  }

  join(node: string): Effect.Effect<Life> {
    return Effect.map(Queue.unbounded<Protocol.View>(), (views) => {
      const life = { node, number: (this.latest.get(node)?.number ?? 0) + 1, views }
      this.latest.set(node, life)
      return life
    })
  }

  /** A node that has given up asks to be let in anew. */
  again(node: string): void {
    const life = this.latest.get(node)
    if (life !== undefined) this.latest.set(node, { ...life })
  }

  /** Tells of a view of these, where that changes anything. */
  publish(up: ReadonlyArray<string>): void {
    const members = up.flatMap((node) => this.latest.get(node) ?? [])
    if (members.length === 0) return
    if (members.length === this.members.length && members.every((life, i) => life === this.members[i])) return
    const view: Protocol.View = {
      number: ++this.number,
      members: members.map(({ node }) => node),
      joined: members.filter((life) => !this.members.includes(life)).map(({ node }) => node)
    }
    for (const { views } of new Set([...this.members, ...members])) Queue.offerUnsafe(views, view)
    this.members = members
  }

  /** What a joiner is given: the same of whoever is asked. */
  snapshot(node: string, view: number): string {
    const all = this.applications.get(node)!.toSorted()
    const state = JSON.stringify(all)
    if ((this.snapshots.get(view) ?? state) !== state) this.broken.push(`snapshots of view ${view} differ`)
    if (new Set(all).size !== all.length) this.broken.push(`${node} has delivered twice before view ${view}`)
    this.snapshots.set(view, state)
    return state
  }

  peak({ ahead, held, queue, rank, streams }: State<string>): void {
    const { peaks } = this
    for (const { log, stable } of streams)
      peaks.kept = Math.max(peaks.kept, log.next - log.first, log.next - 1 - stable)
    const own = streams[rank]
    if (own !== undefined) peaks.own = Math.max(peaks.own, own.log.next - 1 - own.stable)
    peaks.ahead = Math.max(peaks.ahead, ahead.length)
    peaks.held = Math.max(peaks.held, held.next - held.first)
    peaks.queue = Math.max(peaks.queue, queue.length)
  }
}

/** At the end all nodes are in the last view, have one state, and keep nothing. */
const unrest = ({ actors, applications, nodes, number }: Group): ReadonlyArray<string> => {
  const all = (node: string): string => applications.get(node)!.toSorted().join()
  return nodes.flatMap((node) => {
    const state = actors.get(node)!.state()
    const isBusy = state.ticking || state.flush !== undefined || state.joining !== undefined
    const what =
      state.view?.number !== number
        ? `is in view ${state.view?.number} of ${number}`
        : all(node) !== all(nodes[0]!)
          ? `and ${nodes[0]} have different states`
          : state.streams.some(({ log }) => log.next > log.first) || state.snapshots.length > 0
            ? "keeps what everybody has"
            : isBusy || state.ahead.length > 0 || state.queue.length > 0
              ? "is not at rest"
              : undefined
    return what === undefined ? [] : [`rest: ${node} ${what}`]
  })
}
