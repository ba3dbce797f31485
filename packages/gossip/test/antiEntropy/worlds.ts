/** Simulated worlds in which replicas of a store write, fail, and compare. */
import { AntiEntropy, MerkleTree } from "@troupe/gossip"
import { Faults, Simulation } from "@troupe/simulation"
import { Clock, Effect, Random } from "effect"
import { nodesOf } from "../epidemic/rounds.ts"
import { storeOf } from "./pair.ts"

export type Preset = keyof typeof Faults.presets

/** Kinds of replicas. In the last, stores outlive a crash: then nothing is ever lost. */
export const kinds: Readonly<
  Record<string, { readonly options: AntiEntropy.LayerOptions; readonly isDurable: boolean }>
> = {
  "as it comes": { options: {}, isDurable: false },
  "by tree alone": { options: { sketchCells: 0, fanOut: 2, depth: 5 }, isDurable: false },
  "within tight budgets": {
    options: { packetBytes: 512, messagesPerRound: 8, entriesPerRound: 40, sketchCells: 256, fanOut: 4, depth: 3 },
    isDurable: true
  }
}

export interface Given {
  readonly seed: number
  readonly preset: Preset
  readonly kind: string
  readonly nodes?: number
  readonly trace?: Simulation.Options<unknown>["trace"]
}

/** When the last write or fault is over. */
const lastMillis = (faults: ReadonlyArray<Faults.Event>): number =>
  faults.reduce(
    (last, event) => Math.max(last, event.atMillis + ("forMillis" in event ? event.forMillis : 0)),
    writtenMillis
  )

const areSame = AntiEntropy.card.guarantees.find(({ name }) => name === "convergence")!.holds

const actor = AntiEntropy.protocol.name

/** Until when nodes write. */
const writtenMillis = 60_000

/** How long it may take until all are the same, from the last write or the end of the last fault. */
export const boundMillis = 10_000

/** Two minutes: each node writes 60 times in the first half, to 200 keys that all share and to some of its own. */
export const run = ({ kind, nodes = 5, preset, seed, trace }: Given) => {
  const { isDurable, options } = kinds[kind]!
  const stores = new Map<string, Map<string, string>>()
  const lives = new Map<string, number>()
  const written: Array<{ readonly node: string; readonly life: number; readonly key: string; readonly value: string }> =
    []
  const up = (world: Parameters<Parameters<typeof Simulation.eventually>[1]>[0]) =>
    world
      .snapshot(actor)
      .flatMap(({ alive, node, state }) =>
        alive ? [{ values: stores.get(node)!, state: state as AntiEntropy.State }] : []
      )
  let differedMillis = 0
  const ran = Simulation.run<unknown>({
    seed,
    nodes: nodesOf(nodes),
    faults: Faults.presets[preset],
    duration: "2 minutes",
    stopAtViolation: false,
    ...(trace === undefined ? {} : { trace }),
    program: Effect.fnUntraced(function* (node: string) {
      const life = (lives.get(node) ?? 0) + 1
      lives.set(node, life)
      const values = (isDurable ? stores.get(node) : undefined) ?? new Map<string, string>()
      stores.set(node, values)
      const replica = yield* AntiEntropy.make(storeOf(values), { interval: "500 millis", ...options })
      const clock = yield* Clock.Clock
      for (let i = 0; i < 60; i++) {
        yield* Effect.sleep(yield* Random.nextIntBetween(0, 2_000))
        const now = Number(clock.monotonicTimeNanosUnsafe()) / 1e6
        if (now > writtenMillis) return
        const own = yield* Random.nextBoolean
        const key = own ? `${node} ${i}` : `key ${yield* Random.nextIntBetween(0, 200)}`
        const value = `${Math.floor(now).toString().padStart(8, "0")} ${node}`
        if (value <= (values.get(key) ?? "")) continue
        values.set(key, value)
        replica.changed([{ key, version: value }])
        written.push({ node, life, key, value })
      }
    }),
    properties: [
      ...Simulation.fromCard(AntiEntropy.card, actor),
      Simulation.eventually("a tree is that of its store", (world) =>
        up(world).every(({ state: { tree }, values }) => {
          const entries = Array.from(values, ([key, version]) => ({ key, version }))
          return MerkleTree.isSame(tree.root, MerkleTree.fromEntries(tree.layout, entries).root)
        })
      ),
      Simulation.eventually("nothing is lost of whoever stays up, or keeps its store", (world) =>
        written.every(
          ({ key, life, node, value }) =>
            (!isDurable && lives.get(node) !== life) ||
            up(world).every(({ values }) => (values.get(key) ?? "") >= value)
        )
      ),
      Simulation.always("the time is taken until all are the same", (world) => {
        if (!areSame(world.snapshot(actor))) differedMillis = world.nowMillis
        return true
      }),
      Simulation.always("no round is over its budget", (world) =>
        up(world).every(
          ({ state }) =>
            state.said <= (options.messagesPerRound ?? 64) &&
            state.handed <= (options.messagesPerRound ?? 64) &&
            state.read <= (options.entriesPerRound ?? 1_024)
        )
      )
    ]
  })
  return Effect.map(ran, (result) => ({
    ...result,
    worstMillis: Math.max(0, differedMillis - lastMillis(result.faults))
  }))
}
