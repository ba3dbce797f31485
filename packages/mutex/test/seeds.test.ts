/** The coordinator, the token ring, Lamport's queue and Suzuki–Kasami in simulated worlds. */
import { Protocol } from "@troupe/actor"
import { FailureDetector, Heartbeat } from "@troupe/failure-detection"
import { Coordinator, LamportQueue, Mutex, SuzukiKasami, TokenRing } from "@troupe/mutex"
import { Faults, Simulation } from "@troupe/simulation"
import type { Transport } from "@troupe/transport"
import { Context, Duration, Effect, Layer, Option, Random, References, type Scope, Stream } from "effect"
import { describe, expect, it } from "vitest"
import { atOnce, inTurns, type Locking, messages, search } from "./locks.ts"
import { enter, type Lock, nodesOf } from "./system.ts"

const coordinator = { ...Coordinator, options: Coordinator.defaults }
/** So slow that a minute is soon simulated. */
const ring = {
  ...TokenRing,
  options: { ...TokenRing.defaults, restMillis: 20 },
  layer: (options: { readonly resource: string }) => TokenRing.layer({ ...options, rest: "20 millis" })
}
const queue = { ...LamportQueue, options: undefined }
const token = { ...SuzukiKasami, options: undefined }

/** Enters three times, for a time drawn anew, and gives up waiting once in between. */
const persistent = (mutex: Lock): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let i = 0; i < 3; i++) {
      const stay = Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 30)))
      yield* mutex.tryLock(Duration.millis(yield* Random.nextIntBetween(0, 20)), () => stay)
      yield* mutex.withLock(() => stay)
    }
  })

describe("inside its assumptions every guarantee of the card holds", () => {
  it.each<[string, number, number, Locking<any, any>]>([
    ["coordinator", 3, 200, coordinator],
    ["coordinator", 5, 60, coordinator],
    ["Lamport's queue", 3, 200, queue],
    ["Lamport's queue", 5, 50, queue],
    ["Suzuki–Kasami", 3, 300, token],
    ["Suzuki–Kasami", 5, 150, token]
  ])("%s: nothing goes wrong, %i nodes, %i seeds", async (_name, nodes, seeds, lock) => {
    expect((await search(lock, { nodes, seeds })).failures).toEqual([])
  })

  it("coordinator: messages come twice, and overtake", async () => {
    const change = { duplicationProbability: 0.2, reorderProbability: 0.5, delayMillisMax: 100 }
    expect((await search(coordinator, { nodes: 3, seeds: 200, change })).failures).toEqual([])
  })

  it("Suzuki–Kasami: messages overtake", async () => {
    const change = { reorderProbability: 0.5, delayMillisMax: 100 }
    expect((await search(token, { nodes: 3, seeds: 200, change })).failures).toEqual([])
  })

  it.each(TokenRing.card.assumes.tolerates)("token ring: faults %s", async (faults) => {
    expect((await search(ring, { nodes: 3, seeds: 60, faults, use: persistent })).failures).toEqual([])
    expect((await search(ring, { nodes: 5, seeds: 15, faults, use: persistent })).failures).toEqual([])
  })
})

describe("each weakness of the card is reproduced", () => {
  const long = (millis: number) => (mutex: Lock) =>
    Effect.forEach(nodesOf(10), () => mutex.tryLock("5 seconds", () => Effect.sleep(Duration.millis(millis))), {
      discard: true
    })
  /** Others than these two answer, and ask for nothing. */
  const two = (mutex: Lock, node: string) => (node === "n2" || node === "n3" ? enter(mutex, 30, 300) : Effect.void)

  it.each(
    [coordinator, queue, token].flatMap((lock) =>
      lock.card.weaknesses.map((weakness): [string, string, Locking<any, any>, typeof weakness] => [
        lock.card.title,
        weakness.name,
        lock,
        weakness
      ])
    )
  )("%s: %s", async (_title, _name, lock, { breaks, faults }) => {
    const use = breaks === "no starvation" ? two : faults === "crash" ? long(3_000) : long(20)
    const found = await search(lock, { nodes: 4, seeds: 60, faults, use, only: breaks! })
    expect(found.failed).toBeGreaterThan(0)
    expect(found.shrunk!.result.violations[0]!.name).toBe(breaks)
  })

  it("token ring: a node that stays down stops the ring, a node that comes back starts it again", async () => {
    const run = (downMillis: number) =>
      Effect.runPromise(
        Simulation.run({
          seed: 1,
          nodes: nodesOf(3),
          program: (node) => withLock(ring.layer({ resource: "orders" }), (mutex) => use(mutex, node)),
          scheduled: [{ _tag: "Crash", node: "n2", atMillis: 500, forMillis: downMillis }],
          duration: "20 seconds",
          properties: guaranteesOf(ring)
        })
      )
    const use = (mutex: Lock, node: string) => (node === "n2" ? Effect.void : enter(mutex, 40, 20))
    expect((await run(60_000)).violations.map(({ name }) => name)).toEqual(["no starvation"])
    expect((await run(5_000)).violations).toEqual([])
  })
})

/** A node with the lock, in its scope. That it waits for long is not logged. */
const withLock = <E>(
  layer: Layer.Layer<Mutex, E, Transport>,
  use: (mutex: Lock) => Effect.Effect<void>
): Effect.Effect<void, E, Transport | Scope.Scope> =>
  Effect.flatMap(Layer.build(layer), (context) => use(Context.get(context, Mutex))).pipe(
    Effect.provideService(References.MinimumLogLevel, "None")
  )

describe("a node comes back, and has forgotten its numbers", () => {
  it("Suzuki–Kasami: it counts on from the number that the others know, and is served", async () => {
    // The last of three enters thrice, and hands the token on; it crashes, and enters again.
    const { violations } = await Effect.runPromise(
      Simulation.run({
        seed: 1,
        nodes: nodesOf(3),
        program: (node) =>
          withLock(token.layer({ resource: "orders" }), (mutex) =>
            node === "n3"
              ? enter(mutex, 3, 10)
              : Effect.andThen(Effect.sleep(node === "n1" ? "1 second" : "4 seconds"), enter(mutex, 1, 10))
          ),
        scheduled: [{ _tag: "Crash", node: "n3", atMillis: 2_000, forMillis: 1_000 }],
        duration: "1 minute",
        properties: guaranteesOf(token)
      })
    )
    expect(violations).toEqual([])
  })
})

describe("with a failure detector the others go on when a node is dead", () => {
  const detector = Heartbeat.layer({ interval: "200 millis", deadline: "600 millis" })

  /** As an election would say: of those that are up, the lowest leads. */
  const lowestUp = Effect.gen(function* () {
    const { changes, opinions } = yield* FailureDetector
    const leader = Effect.map(opinions, (all) => {
      const rank = nodesOf(3).findIndex((node) => (all.get(node)?.status ?? "up") === "up")
      return Option.some({ id: nodesOf(3)[rank]!, epoch: rank + 1 })
    })
    return Stream.concat(
      Stream.fromEffect(leader),
      Stream.mapEffect(changes, () => leader)
    )
  })

  it.each<[string, Locking<any, any>, Layer.Layer<Mutex, any, any>]>([
    ["elected coordinator", coordinator, Coordinator.layer({ resource: "orders", leader: lowestUp })],
    ["token ring", ring, ring.layer({ resource: "orders" })],
    ["Lamport's queue", queue, queue.layer({ resource: "orders" })],
    ["Suzuki–Kasami", token, token.layer({ resource: "orders" })]
  ])("%s: a node that crashes for good, at any time", async (_name, lock, layer) => {
    for (let seed = 1; seed <= 20; seed++) {
      const tokens: Array<number> = []
      const result = await Effect.runPromise(
        Simulation.run({
          seed,
          nodes: nodesOf(3),
          program: () => withLock(Layer.provide(layer, detector), noting(tokens, 8)),
          scheduled: [{ _tag: "Crash", node: `n${(seed % 3) + 1}`, atMillis: (seed * 17) % 600, forMillis: 1e9 }],
          duration: "30 seconds",
          properties: guaranteesOf(lock)
        })
      )
      expect([seed, ...result.violations.map(({ name }) => name)]).toEqual([seed])
      // The two that live have entered eight times each.
      expect(tokens.length).toBeGreaterThanOrEqual(16)
      expect(tokens).toEqual(growing(tokens))
    }
  })
})

/** Enters so often, and takes note of each token. */
const noting =
  (tokens: Array<number>, times: number) =>
  (mutex: Lock): Effect.Effect<void> =>
    Effect.forEach(
      nodesOf(times),
      () =>
        mutex.withLock((token) =>
          Effect.andThen(
            Effect.sync(() => tokens.push(token)),
            Effect.sleep("20 millis")
          )
        ),
      { discard: true }
    )

const growing = (tokens: ReadonlyArray<number>): ReadonlyArray<number> => [...new Set(tokens)].sort((a, b) => a - b)

const guaranteesOf = ({ card, protocol }: Locking<any, any>) => Simulation.fromCard(card, `${protocol.name}/orders`)

describe("tokens grow from entry to entry", () => {
  const ringUnder = async (seed: number, faults: Faults.Faults): Promise<ReadonlyArray<number>> => {
    const tokens: Array<number> = []
    const program = () => withLock(ring.layer({ resource: "orders" }), noting(tokens, 30))
    await Effect.runPromise(Simulation.run({ seed, nodes: nodesOf(5), program, faults }))
    return tokens
  }

  it.each(["lossy", "partition", "chaos"] as const)("token ring: faults %s", async (faults) => {
    for (let seed = 1; seed <= 12; seed++) {
      const tokens = await ringUnder(seed, Faults.presets[faults])
      expect(tokens.length).toBeGreaterThanOrEqual(150)
      expect(tokens).toEqual(growing(tokens))
    }
  })

  it("token ring: not when all nodes have crashed, and none of them knows the generation any more", async () => {
    const tokens = await ringUnder(18, Faults.presets.crash)
    expect(tokens).not.toEqual(growing(tokens))
  })

  it.each<[string, Locking<any, any>]>([
    ["coordinator", coordinator],
    ["Lamport's queue", queue],
    ["Suzuki–Kasami", token]
  ])("%s", async (_name, lock) => {
    for (let seed = 1; seed <= 25; seed++) {
      const tokens: Array<number> = []
      const program = () => withLock(lock.layer({ resource: "orders" }), noting(tokens, 5))
      await Effect.runPromise(Simulation.run({ seed, nodes: nodesOf(5), program }))
      expect(tokens).toHaveLength(25)
      expect(tokens).toEqual(growing(tokens))
    }
  })
})

describe("it costs what the card says", () => {
  const sizes = [...Array.from({ length: 24 }, (_, i) => i + 2), 49]

  it("coordinator: 3 messages an entry, and none at the coordinator", async () => {
    for (const nodes of sizes) {
      expect(await messages(coordinator, nodes, inTurns(nodes))).toBe(3 * (nodes - 1))
      expect(await messages(coordinator, nodes, atOnce(2))).toBe(3 * (nodes - 1) * 2)
    }
  })

  it("Lamport's queue: 3(N−1) messages an entry", async () => {
    for (const nodes of sizes) {
      expect(queue.card.cost.worst.of(nodes)).toBe(3 * (nodes - 1))
      expect(await messages(queue, nodes, inTurns(nodes))).toBe(3 * (nodes - 1) * nodes)
    }
    for (const nodes of [2, 5, 25]) expect(await messages(queue, nodes, atOnce(2))).toBe(3 * (nodes - 1) * nodes * 2)
  })

  it("Suzuki–Kasami: N messages, or none where the token is", async () => {
    for (const nodes of sizes) {
      // The lowest has the token at first.
      expect(await messages(token, nodes, inTurns(nodes))).toBe((nodes - 1) * nodes)
      const again = (mutex: Lock, node: string) => (node === `n${nodes}` ? enter(mutex, 5, 1) : Effect.void)
      expect(await messages(token, nodes, again)).toBe(nodes)
      const contended = await messages(token, nodes, atOnce(2))
      expect([contended % nodes, contended <= nodes * nodes * 2]).toEqual([0, true])
    }
  })

  it("token ring: 1 message an entry when all want to enter, N when one does, any number when nobody does", () => {
    for (const nodes of sizes) {
      expect(passings(nodes, nodesOf(nodes), 100)).toBe(99)
      expect(passings(nodes, ["n2"], 11)).toBe(1 + 10 * nodes)
    }
    expect(passings(5, [], 0, 10_000)).toBe(10_000)
  })
})

/** How often the token is passed on until the askers have entered so often, or until it has been passed on so often. */
const passings = (size: number, askers: ReadonlyArray<string>, entries: number, most = 1e6): number => {
  const { protocol } = TokenRing
  const nodes = nodesOf(size)
  const selves = new Map(nodes.map((node) => [node, Protocol.self(node, nodes, TokenRing.defaults)]))
  const states = new Map(nodes.map((node) => [node, protocol.init(selves.get(node)!)]))
  const inputs: Array<[string, Protocol.Input<TokenRing.Message, TokenRing.Command, "rest" | "lost">]> = []
  const tell = (node: string, _tag: "Acquire" | "Release") =>
    inputs.push([node, { _tag: "Command", command: { _tag } }])
  for (const node of askers) tell(node, "Acquire")
  for (const node of nodes) inputs.push([node, { _tag: "Start" }])
  let passed = 0
  let entered = 0
  for (let i = 0; i < inputs.length; i++) {
    const [node, input] = inputs[i]!
    const { actions, state } = Protocol.step(protocol, selves.get(node)!, states.get(node)!, input)
    states.set(node, state)
    for (const action of actions) {
      if (action._tag === "Send") {
        if (action.message._tag === "Token" && ++passed === most) return passed
        inputs.push([action.to, { _tag: "Message", from: node, message: action.message }])
      } else if (action._tag === "Emit") {
        if (++entered === entries) return passed
        tell(node, "Release")
        tell(node, "Acquire")
      } else if (action._tag === "SetTimer" && action.timer === "rest")
        inputs.push([node, { _tag: "Timeout", timer: "rest" }])
    }
  }
  throw new Error("the ring stands still")
}
