/**
 * Groups in simulated worlds: nodes join and leave two groups, crash, are cut off and taken for dead, while all that they are
 * told of views is written down. Then faults stop, everybody stays where it is, and must be in one view with all others.
 */
import { Bully } from "@troupe/election"
import { Heartbeat } from "@troupe/failure-detection"
import { CoordinatedMembership, Membership } from "@troupe/group"
import { Faults, Simulation } from "@troupe/simulation"
import { Duration, Effect, Layer, Random, References, Stream } from "effect"

type State = CoordinatedMembership.State

/**
 * - `none`, `lossy`, `partition`: those of the simulator; `unrest`: both, with pauses and clocks that are off. Nodes come and
 *   go.
 * - `crash`: nodes that are in the groups crash one after the other, and come back without their memory.
 * - `chaos`: unrest, once all are in, while fewer than half of the nodes crash and come back, again and again. (Where they
 *   crash before all have heard of a group, its name may be forgotten: a weakness of the card.)
 */
export type World = "none" | "lossy" | "partition" | "unrest" | "crash" | "chaos"

export interface Outcome {
  readonly violations: ReadonlyArray<string>
  /** From when faults were over until everybody was in. */
  readonly worstMillis: number
  readonly boundMillis: number
  readonly views: number
  readonly partialViews: number
  /** Groups of which a majority of a view crashed: that everybody comes in is not asked of them. */
  readonly lost: number
}

export interface Setting {
  readonly nodes?: number
  readonly minority?: CoordinatedMembership.Minority
}

const groups = ["orders", "stock"]
const faultMillis = 24_000
const patienceMillis = 40_000

const { heartbeatEveryMillis, roundTripMillis } = Bully.defaults
const detector = { interval: "200 millis", deadline: "800 millis" } as const

const unrest: Faults.Faults = { ...Faults.chaos, crashesPerMinute: 0 }

interface Plan {
  readonly faults: Faults.Faults
  /** Whether nodes stay in the groups, once they are in. */
  readonly stays: boolean
  readonly crashes: ReadonlyArray<number>
  /** When splits and pauses begin. */
  readonly from?: number
}

const worlds: Readonly<Record<World, Plan>> = {
  none: { faults: Faults.none, stays: false, crashes: [] },
  lossy: { faults: Faults.lossy, stays: false, crashes: [] },
  partition: { faults: Faults.partition, stays: false, crashes: [] },
  unrest: { faults: unrest, stays: false, crashes: [] },
  crash: { faults: Faults.none, stays: true, crashes: [5_000, 11_000, 17_000] },
  chaos: { faults: unrest, stays: true, crashes: [8_000, 12_000, 16_000], from: 5_000 }
}

export const simulate = async (world: World, seed: number, setting: Setting = {}): Promise<Outcome> => {
  const count = setting.nodes ?? (seed % 3 === 0 ? 5 : 3)
  const nodes = Array.from({ length: count }, (_, i) => `n${i + 1}`)
  const record = new Notes()
  const { crashes, faults, from = 0, stays } = worlds[world]
  const calm = world === "none" ? 8_000 : faultMillis
  const mortal = nodes.slice(0, world === "chaos" ? Math.ceil(count / 2) - 1 : count)
  const layer = CoordinatedMembership.layer({ minority: setting.minority ?? "block" }).pipe(
    Layer.provide(Bully.layer()),
    Layer.provide(Heartbeat.layer(detector))
  )
  let together: number | undefined
  const { violations } = await Effect.runPromise(
    Simulation.run({
      seed,
      nodes,
      // Events are planned below.
      faults: { ...faults, partitionsPerMinute: 0, pausesPerMinute: 0, clockJumpsPerMinute: 0 },
      scheduled: [
        ...Faults.plan({ seed, nodes, faults, durationMillis: (calm - from) / Faults.over }).map((event) => ({
          ...event,
          atMillis: from + event.atMillis
        })),
        ...crashes.map((atMillis, i) => ({
          _tag: "Crash" as const,
          node: mortal[(seed + i * 7) % mortal.length]!,
          atMillis: atMillis + (seed % 700),
          forMillis: 300 + ((seed * 37 + i * 911) % 4_000)
        }))
      ],
      planned: Duration.millis(calm / Faults.over),
      duration: Duration.millis(calm + patienceMillis),
      program: (node) =>
        Effect.gen(function* () {
          const context = yield* Layer.build(layer)
          yield* Effect.forEach(groups, (group) => live(record, node, group, stays ? 0 : calm - 4_000), {
            concurrency: "unbounded"
          }).pipe(Effect.provide(context))
        }).pipe(Effect.provideService(References.MinimumLogLevel, "None")),
      properties: [
        ...Simulation.fromCard(CoordinatedMembership.card, CoordinatedMembership.protocol.name).filter(
          ({ kind }) => kind === "always"
        )
      ],
      test: ({ world: seen }) =>
        Effect.gen(function* () {
          yield* Effect.sleep(Duration.millis(calm))
          while (together === undefined && seen.nowMillis < calm + patienceMillis - 1_000) {
            if (record.isTogether(nodes, seen.snapshot(CoordinatedMembership.protocol.name))) together = seen.nowMillis
            else yield* Effect.sleep("50 millis")
          }
          // What is together stays so.
          yield* Effect.sleep("3 seconds")
          const stays = record.isTogether(nodes, seen.snapshot(CoordinatedMembership.protocol.name))
          if (together !== undefined && !stays) record.wrong.push("falls apart without a fault")
        })
    })
  )
  const all = [
    ...violations.map(({ detail, name }) => (detail === undefined ? name : `${name}: ${detail}`)),
    ...record.wrong
  ]
  return {
    violations: [...new Set(together === undefined ? [...all, "everybody comes in"] : all)],
    worstMillis: Math.max(0, (together ?? calm + patienceMillis) - calm),
    boundMillis,
    views: record.views,
    partialViews: record.partialViews,
    lost: record.lost
  }
}

/**
 * Once faults are over: a leader is missed, or a claim is made anew; what is up is heard of; a ballot that was refused is
 * taken anew; then each node's report, the old life taken out, and the new one let in. Round trips are of 20 ms.
 */
const { reportMillis, retryMillis } = CoordinatedMembership.defaults
export const boundMillis =
  Math.max(2 * heartbeatEveryMillis, roundTripMillis) +
  7 * roundTripMillis +
  200 +
  2 * (1.5 * retryMillis) +
  2 * reportMillis +
  3 * 20 +
  // The end is looked for every 50 ms.
  50

/** Comes and goes until it is time to stay. */
const live = (record: Notes, node: string, group: string, stayFrom: number) =>
  Effect.gen(function* () {
    const membership = yield* Membership.Membership
    const life = record.begin(node, group)
    yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 500)))
    const stay = Effect.gen(function* () {
      const { leave, views } = yield* membership.join(group, { create: true })
      yield* Effect.forkScoped(Stream.runForEach(views, (view) => Effect.sync(() => record.sees(life, view))))
      return leave
    })
    while (performance.now() < stayFrom) {
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* stay
          yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(200, 9_000)))
        })
      ).pipe(Effect.timeoutOption(Duration.millis(Math.max(1, stayFrom - performance.now()))))
      yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(1, 1_500)))
    }
    // A group that all others have left while this node was cut off is gone: it founds it again.
    const stayToTheEnd = Effect.gen(function* () {
      const { views } = yield* membership.join(group, { create: true })
      yield* Stream.runForEach(views, (view) => Effect.sync(() => record.sees(life, view)))
    })
    yield* Effect.forever(Effect.scoped(stayToTheEnd))
  })

interface Life {
  readonly node: string
  readonly group: string
  /** The number of the latest view that it was told of. */
  latest: number
}

/** What nodes are told, and what is known of the views. */
class Notes {
  readonly wrong: Array<string> = []
  views = 0
  partialViews = 0
  lost = 0
  private readonly told = new Map<string, string>()

  begin(node: string, group: string): Life {
    return { node, group, latest: 0 }
  }

  sees(life: Life, view: Membership.View): void {
    const { group, node } = life
    if (!view.members.includes(node)) this.wrong.push(`${node} is told of a view that it is not in`)
    if (!view.primary) {
      this.partialViews++
      if (view.number !== life.latest) this.wrong.push(`${node} is told of a partial view of another view`)
      return
    }
    if (view.number <= life.latest) this.wrong.push(`${node} is told of view ${view.number} after ${life.latest}`)
    // Nobody skips a view that it is in.
    if (view.number !== life.latest + 1 && !view.joined.includes(node)) {
      this.wrong.push(`${node} is told of view ${view.number} right after ${life.latest}`)
    }
    life.latest = view.number
    const key = `${group} ${view.number}`
    const text = `${view.members.join(" ")}; ${view.joined.join(" ")}`
    const other = this.told.get(key)
    if (other === undefined) {
      this.told.set(key, text)
      this.views++
    } else if (other !== text) this.wrong.push(`view ${key} is ${other} for one, ${text} for another`)
  }

  /** Whether all that are up and want it are in the latest view of each group, but for groups that have lost a majority. */
  isTogether(
    nodes: ReadonlyArray<string>,
    snapshot: ReadonlyArray<{ node: string; alive: boolean; state: State }>
  ): boolean {
    const alive = snapshot.filter((each) => each.alive)
    this.lost = 0
    return groups.every((name) => {
      const view = alive
        .map(({ state }) => state.groups.get(name)?.view)
        .reduce((a, b) => (b !== undefined && (a === undefined || b.number > a.number) ? b : a), undefined)
      if (view !== undefined && view.members.length > 0) {
        const up = view.members.filter(({ life, node }) =>
          alive.some((each) => each.node === node && each.state.life === life)
        )
        const first = view.members[0]!
        const half = 2 * up.length === view.members.length && up.includes(first)
        if (2 * up.length <= view.members.length && !half) {
          this.lost++
          return true
        }
      }
      return (
        alive.length === nodes.length &&
        alive.every(({ state }) => {
          const installed = state.groups.get(name)?.installed
          return (
            installed !== undefined && installed.number === view?.number && installed.members.length === nodes.length
          )
        })
      )
    })
  }
}
