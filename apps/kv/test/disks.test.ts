/** What becomes of the store when a node's disk fills up, or its network fails in part: in a simulated world. */
import { Simulation } from "@troupe/simulation"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Transport } from "@troupe/transport"
import { Effect, Layer, References } from "effect"
import { describe, expect, it } from "vitest"
import * as Cluster from "../src/Cluster.ts"
import * as Connection from "../src/Connection.ts"
import type * as Node from "../src/Node.ts"
import type * as Reply from "../src/Reply.ts"

interface Store {
  /** At a node: the reply in one text. */
  readonly ask: (node: string, ...words: ReadonlyArray<string>) => Effect.Effect<string>
  readonly disk: (node: string) => SimulatedDisk.SimulatedDisk
  readonly status: (node: string) => Effect.Effect<{ readonly role: string; readonly primary: string | undefined }>
  readonly simulator: Simulation.Simulator
}

const text = (reply: Reply.Reply): string => {
  switch (reply._tag) {
    case "Bulk":
      return reply.bytes
    case "Simple":
    case "Failure":
      return reply.text
    case "Integer":
      return String(reply.value)
    default:
      return reply._tag
  }
}

const inWorld = async <A>(
  replication: Node.Replication,
  use: (store: Store) => Effect.Effect<A, unknown>
): Promise<A> => {
  const disks = SimulatedDisk.make({ seed: 1 })
  const asks = new Map<string, Connection.Ask>()
  const replicas = new Map<string, Node.Node["replicated"]>()
  const { value, violations } = await Effect.runPromise(
    Simulation.run({
      seed: 1,
      nodes: ["n1", "n2", "n3"],
      duration: "2 minutes",
      program: (id) =>
        Effect.gen(function* () {
          const transport = Layer.succeed(Transport, yield* Transport)
          const replica = yield* Cluster.startReplica({ id, replication }, transport, disks.layer(id))
          replicas.set(id, replica)
          asks.set(id, yield* Connection.local(replica))
          yield* Effect.never
        }).pipe(Effect.provideService(References.MinimumLogLevel, "None")),
      test: (simulator) =>
        Effect.andThen(
          Effect.sleep("1 second"),
          use({
            ask: (node, ...words) => Effect.map(Effect.orDie(asks.get(node)!(...words)), text),
            disk: disks.disk,
            status: (node) => replicas.get(node)!.status,
            simulator
          })
        )
    })
  )
  expect(violations).toEqual([])
  return value as A
}

/** Sets keys at a node until one is not acknowledged; which were, and what was said of that one. */
const fill = ({ ask }: Store, node: string, most: number) =>
  Effect.gen(function* () {
    const value = "x".repeat(1_000)
    for (let i = 0; i < most; i++) {
      const answer = yield* ask(node, "SET", `k${i}`, value)
      if (answer !== "OK") return { acknowledged: i, answer }
    }
    return { acknowledged: most, answer: "OK" }
  })

const count = ({ ask }: Store, node: string, keys: number) =>
  ask(node, "EXISTS", ...Array.from({ length: keys }, (_, i) => `k${i}`))

describe.each(["passive", "quorum"] as const)("%s replication with a network", (replication) => {
  it("that brings nothing to one node, from which all can hear, goes on at the others", async () => {
    const said = await inWorld(replication, (store) =>
      Effect.gen(function* () {
        yield* store.ask("n1", "SET", "a", "1")
        yield* store.simulator.cut(["n1", "n3"], ["n2"])
        yield* store.ask("n1", "SET", "a", "2")
        return [yield* store.ask("n1", "SET", "a", "3"), yield* store.ask("n3", "GET", "a")]
      })
    )
    expect(said).toEqual(["OK", "3"])
  })
})

describe.each(["passive", "quorum"] as const)("%s replication with a disk that fills up", (replication) => {
  it("goes on at the others when it is a backup's, and tells its own clients why", async () => {
    const said = await inWorld(replication, (store) =>
      Effect.gen(function* () {
        store.disk("n2").capacityBytes = 60_000
        const filled = yield* fill(store, "n1", 150)
        const there = yield* count(store, "n3", 150)
        return { filled, there, full: yield* store.ask("n2", "SET", "a", "1"), standing: yield* store.status("n2") }
      })
    )
    expect(said.filled).toEqual({ acknowledged: 150, answer: "OK" })
    expect(said.there).toBe("150")
    expect(said.full).toContain("cannot grow")
    expect(said.full).toMatch(/^(CLUSTERDOWN|INDOUBT) /)
    expect(said.standing.role).toBe("apart")
  })

  it("loses nothing that was acknowledged when it is the primary's, and has it back when there is room", async () => {
    const said = await inWorld(replication, (store) =>
      Effect.gen(function* () {
        store.disk("n1").capacityBytes = 60_000
        const { acknowledged, answer } = yield* fill(store, "n1", 150)
        yield* Effect.sleep("2 seconds")
        const goesOn = yield* store.ask("n2", "SET", "a", "1")
        const there = yield* count(store, "n3", acknowledged)
        store.disk("n1").capacityBytes = Infinity
        yield* store.simulator.crash("n1")
        yield* store.simulator.restart("n1")
        yield* Effect.sleep("2 seconds")
        return { acknowledged, answer, goesOn, there, back: yield* count(store, "n1", acknowledged) }
      })
    )
    expect(said.acknowledged).toBeGreaterThan(10)
    expect(said.answer).toContain("cannot grow")
    expect(said).toMatchObject({
      goesOn: "OK",
      there: String(said.acknowledged),
      back: String(said.acknowledged)
    })
  })
})
