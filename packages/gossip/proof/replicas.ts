/** Worlds in which replicas change CRDTs at random while nodes and links fail; what must hold then. */
import { type Crdt, Replicated } from "@troupe/gossip"
import type { Card } from "@troupe/actor"
import { Faults, Simulation } from "@troupe/simulation"
import { Transport } from "@troupe/transport"
import { Clock, Context, Effect, Layer, Random } from "effect"
import { type Kind, kinds } from "../test/crdtHistories.ts"

export const nodesOf = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, i) => `n${i + 1}`)

export type Preset = keyof typeof Faults.presets

export interface Given {
  readonly seed: number
  readonly preset: Preset
  readonly kind?: Kind
  readonly nodes?: number
  readonly changes?: number
  readonly replicated?: Partial<Replicated.LayerOptions<any>>
  /** What a node hears in place of a message; `undefined`: nothing. For planted faults. */
  readonly tamper?: (message: any) => unknown
}

/** The transport, where each message that arrives goes through `hear` first. */
export const hearing = (hear: (message: any) => unknown) =>
  Layer.effect(
    Transport,
    Effect.map(Transport, (transport): Transport["Service"] => ({
      ...transport,
      open: (channel, receive) =>
        transport.open(channel, (from, message) => {
          const heard = hear(message)
          if (heard !== undefined) receive(from, heard as typeof message)
        })
    }))
  )

/** The types that are replicated, in turn. */
const replicated = kinds.filter(({ name }) =>
  ["OrSet", "OrMap of PNCounter", "OrMap of OrSet", "BoundedCounter", "MvRegister", "LwwRegister"].includes(name)
)

export const kindOf = (seed: number): Kind => replicated[seed % replicated.length]!

const actor = `${Replicated.protocol.name}/it`

/** Runs half a minute: changes until 22 seconds of it, faults until 21. */
export const simulate = ({ changes = 10, nodes = 4, preset, seed, ...given }: Given) => {
  const kind = given.kind ?? kindOf(seed)
  const crdt: Crdt<any> = kind.crdt
  const Key = Replicated.key<any, unknown>("it")
  const lives = new Map<string, number>()
  /** The deltas of each life of a node. */
  const made: Array<{ readonly node: string; readonly life: number; readonly delta: unknown }> = []
  const program = (node: string) =>
    Effect.gen(function* () {
      const life = (lives.get(node) ?? 0) + 1
      lives.set(node, life)
      const layer = Replicated.layer(Key, crdt, { name: "it", interval: "300 millis", ...given.replicated }).pipe(
        Layer.provide(hearing(given.tamper ?? ((message) => message)))
      )
      const replica = Context.get(yield* Layer.build(layer), Key)
      const clock = yield* Clock.Clock
      for (let i = 0; i < changes; i++) {
        yield* Effect.sleep(yield* Random.nextIntBetween(0, 3_000))
        // What is said has to reach everybody before the end.
        if (Number(clock.monotonicTimeNanosUnsafe()) / 1e6 > 22_000) return
        // The first of each node is one that is never refused.
        const what = kind.operations[i === 0 ? 0 : yield* Random.nextIntBetween(0, kind.operations.length - 1)]!
        yield* replica.update((state, name, nowMillis) => {
          const delta = kind.apply(state, name, what, nowMillis)
          if (delta !== undefined) made.push({ node, life, delta })
          return delta ?? crdt.empty
        })
      }
    })
  const states = (world: { readonly snapshot: (actor: string) => Card.Snapshot<Replicated.State<any>> }) =>
    world.snapshot(actor).flatMap(({ alive, state }) => (alive ? [state] : []))
  return Simulation.run({
    seed,
    nodes: nodesOf(nodes),
    faults: Faults.presets[preset],
    duration: "30 seconds",
    stopAtViolation: false,
    program,
    properties: [
      ...Simulation.fromCard(Replicated.cardOf(crdt), actor),
      Simulation.eventually("nothing is lost of whoever stays up", (world) =>
        made.every(
          ({ delta, life, node }) =>
            lives.get(node) !== life || states(world).every(({ value }) => crdt.merge(value, delta) === value)
        )
      ),
      Simulation.always("the bounded counter is not below its bound", (world) =>
        kind.name === "BoundedCounter" ? states(world).every(({ value }) => (kind.value(value) as number) >= 0) : true
      ),
      Simulation.eventually("when all is said, nothing is sent", (world) =>
        states(world).every(
          ({ logged, sent, transfers }) =>
            transfers.size === 0 && [...sent.values()].every(({ covered }) => covered === logged)
        )
      )
    ]
  })
}
