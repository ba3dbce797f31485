/**
 * A group whose views are agreed on by a script, in a world of faults: for what stands on the kernel. The script sees who is
 * up after a while, leaves out nodes that are, as a failure detector that is wrong would, and lets them in again.
 */
import { Actor, Membership, type Protocol } from "@troupe/actor"
import { Delivery } from "@troupe/consistency"
import { type Faults, Simulation } from "@troupe/simulation"
import { Duration, Effect, Queue, Random, Stream } from "effect"
import type { Kernel } from "../src/internal/kernel.ts"
import type { Options } from "../src/internal/options.ts"
import type { State } from "../src/internal/state.ts"

export interface World {
  readonly protocol: Kernel<string, any>
  readonly options: Options
  readonly nodes: ReadonlyArray<string>
  readonly faults: Partial<Faults.Faults>
  /** How often the script leaves out a node that is up. */
  readonly evictionProbability?: number
  /** How long faults last; the run goes on until all is at rest. */
  readonly millis?: number
  readonly sendEveryMillis?: number
}

/** One life of a node, as the script knows it. */
interface Life {
  readonly node: string
  readonly views: Queue.Queue<Protocol.View>
}

export interface Outcome {
  /** What is broken, in words. */
  readonly broken: ReadonlyArray<string>
  readonly deliveries: number
  readonly views: number
  /** Of how many views the state was asked for. */
  readonly transfers: number
  /** The highest of each that a state has held. */
  readonly peaks: { readonly kept: number; readonly ahead: number; readonly held: number; readonly queue: number }
}

export const run = async (seed: number, world: World): Promise<Outcome> => {
  const { nodes, protocol, sendEveryMillis = 40 } = world
  const faultMillis = world.millis ?? 8_000
  const recorder = new Delivery.Recorder(nodes)
  const script = new Script()
  const peaks = { kept: 0, ahead: 0, held: 0, queue: 0 }
  const actors = new Map<string, Actor.Actor<State<string>, unknown, unknown>>()
  const lives = new Map<string, number>()
  let deliveries = 0
  /** The application: all that was delivered since the group began. */
  const applications = new Map<string, ReadonlyArray<string>>(nodes.map((node) => [node, []]))
  const snapshots = new Map<number, string>()
  const broken: Array<string> = []

  const program = (node: string) =>
    Effect.gen(function* () {
      const life = (lives.get(node) ?? 0) + 1
      lives.set(node, life)
      const { views } = yield* script.join(node)
      const late = Stream.fromQueue(views).pipe(
        Stream.tap(() =>
          Effect.flatMap(Random.nextIntBetween(0, 300), (millis) => Effect.sleep(Duration.millis(millis)))
        )
      )
      const actor = yield* Actor.spawn(protocol, { options: world.options }).pipe(
        Effect.provideService(Membership, { views: late })
      )
      actors.set(node, actor as never)
      actor.subscribe((event) => {
        if (event._tag === "Viewed") {
          // Let in anew: what it had before is void.
          if (event.view.joined?.includes(node) === true) recorder.crashed(node)
          recorder.viewed(node, event.view)
          if (event.view.joined?.length === event.view.members.length) applications.set(node, [])
        } else if (event._tag === "Install") {
          applications.set(node, JSON.parse(new TextDecoder().decode(event.state)) as ReadonlyArray<string>)
        } else if (event._tag === "Snapshot") {
          const all = applications.get(node)!.toSorted()
          const state = JSON.stringify(all)
          const other = snapshots.get(event.view)
          if (other !== undefined && other !== state) broken.push(`snapshots of view ${event.view} differ`)
          if (new Set(all).size !== all.length) broken.push(`${node} has delivered twice before view ${event.view}`)
          snapshots.set(event.view, state)
          actor.tell({ _tag: "Snapshot", view: event.view, state: new TextEncoder().encode(state) })
        } else if (event._tag === "Delivered") {
          deliveries++
          applications.set(node, [...applications.get(node)!, event.payload])
          recorder.delivered(node, event.payload, { from: event.from, view: event.view })
        } else if (event._tag === "Failed") {
          // A group that has lost its state is founded anew.
          for (const each of event.reason.startsWith("nobody is left") ? nodes : [node]) script.again(each)
        }
        peak(actor.state(), peaks)
      })
      for (let i = 0; ; i++) {
        yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(1, 2 * sendEveryMillis)))
        const state = actor.state()
        if (script.isOver || state.joining !== undefined || state.failed !== undefined || state.view === undefined)
          continue
        const id = `${node}.${life}.${i}`
        recorder.sent(node, id)
        actor.tell({ _tag: "Multicast", payload: id })
        peak(actor.state(), peaks)
      }
    })

  const result = await Effect.runPromise(
    Simulation.run({
      seed,
      nodes,
      faults: world.faults,
      duration: Duration.millis(faultMillis + 60_000),
      planned: Duration.millis(faultMillis),
      program,
      test: ({ world: seen }) =>
        Effect.gen(function* () {
          while (seen.nowMillis < faultMillis) {
            yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(50, 700)))
            const evicts = (yield* Random.next) < (world.evictionProbability ?? 0)
            const evicted = evicts ? nodes[yield* Random.nextIntBetween(0, nodes.length)] : undefined
            script.publish(nodes.filter((node) => seen.isAlive(node) && node !== evicted))
          }
          script.isOver = true
          yield* Effect.sleep("20 seconds")
          script.isOver = false
          script.publish(nodes)
          yield* Effect.sleep("1 second")
          script.isOver = true
          yield* Effect.sleep("30 seconds")
        })
    })
  )
  const verdict = Delivery.check(["reliable", "fifo", "view-synchronous"], recorder.trace)
  const states = nodes.map((node) => actors.get(node)!.state())
  return {
    broken: [
      ...broken,
      ...nodes
        .filter((node) => applications.get(node)!.toSorted().join() !== applications.get(nodes[0]!)!.toSorted().join())
        .map((node) => `state: ${node} and ${nodes[0]} differ`),
      ...result.violations.map(({ detail, name }) => `${name}: ${detail ?? ""}`),
      ...(verdict._tag === "Violated" ? [`${verdict.rule}: ${verdict.reason}`] : []),
      ...unrest(nodes, states, script.number)
    ],
    deliveries,
    views: script.number,
    transfers: snapshots.size,
    peaks
  }
}

const peak = (state: State<any>, peaks: { -readonly [Key in keyof Outcome["peaks"]]: number }): void => {
  peaks.kept = Math.max(peaks.kept, ...state.streams.map(({ log }) => log.next - log.first))
  peaks.ahead = Math.max(peaks.ahead, state.ahead.length)
  peaks.held = Math.max(peaks.held, state.held.next - state.held.first)
  peaks.queue = Math.max(peaks.queue, state.queue.length)
}

/** At the end all nodes are in the last view, and keep nothing. */
const unrest = (nodes: ReadonlyArray<string>, states: ReadonlyArray<State<any>>, number: number): Array<string> =>
  states.flatMap((state, i) => {
    const what =
      state.view?.number !== number
        ? `is in view ${state.view?.number} of ${number}`
        : state.streams.some(({ log }) => log.next > log.first)
          ? "keeps messages"
          : state.ticking ||
              state.joining !== undefined ||
              state.snapshots.length > 0 ||
              state.flush !== undefined ||
              state.ahead.length > 0 ||
              state.queue.length > 0
            ? "is not at rest"
            : undefined
    return what === undefined ? [] : [`rest: ${nodes[i]} ${what}`]
  })

/** What a membership would agree on. */
class Script {
  number = 0
  isOver = false
  private members: ReadonlyArray<Life> = []
  private readonly latest = new Map<string, Life>()

  join(node: string): Effect.Effect<Life> {
    return Effect.map(Queue.unbounded<Protocol.View>(), (views) => {
      const life = { node, views }
      this.latest.set(node, life)
      return life
    })
  }

  /** A node that has given up asks to be let in anew. */
  again(node: string): void {
    const life = this.latest.get(node)
    if (life !== undefined) this.latest.set(node, { ...life })
  }

  publish(up: ReadonlyArray<string>): void {
    const members = up.flatMap((node) => this.latest.get(node) ?? []).toSorted((a, b) => (a.node < b.node ? -1 : 1))
    if (members.length === 0) return
    if (members.length === this.members.length && members.every((life, i) => life === this.members[i])) return
    const view: Protocol.View = {
      number: ++this.number,
      members: members.map(({ node }) => node),
      joined: members.filter((life) => !this.members.includes(life)).map(({ node }) => node)
    }
    for (const life of new Set([...this.members, ...members])) Queue.offerUnsafe(life.views, view)
    this.members = members
  }
}
