/** A member that joins under load, as its application sees it through the service: nothing is missed, nothing comes twice. */
import { Membership, type Protocol } from "@troupe/actor"
import { Multicast, ViewSynchrony } from "@troupe/group"
import { Simulation } from "@troupe/simulation"
import { Channel } from "@troupe/transport"
import { Context, Duration, Effect, Layer, Queue, Random, Schema, Stream } from "effect"
import { expect, it } from "vitest"

const Posts = Channel.make("posts", Schema.String)

const nodes = ["n1", "n2", "n3"]

/** The first view has no n3, which joins in the second. */
const views: ReadonlyArray<Protocol.View> = [
  { number: 1, members: ["n1", "n2"] },
  { number: 2, members: nodes, joined: ["n3"] }
]

const world = async (seed: number) => {
  const lists = new Map<string, Array<string>>()
  const heard = new Map<string, number>()
  const told = new Map<string, Queue.Queue<Protocol.View>>()
  const program = (node: string) =>
    Effect.gen(function* () {
      const queue = yield* Queue.unbounded<Protocol.View>()
      told.set(node, queue)
      const membership = Layer.succeed(Membership, { views: Stream.fromQueue(queue) })
      const context = yield* Layer.build(Layer.provide(ViewSynchrony.layer(), membership))
      const list: Array<string> = []
      lists.set(node, list)
      // It takes a joiner a while to open its topic: what it is given meanwhile waits.
      if (node === "n3") yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 60)))
      const posts = yield* Context.get(context, Multicast.key<"view-synchronous">()).open(
        Posts,
        ({ message }) => {
          list.push(message)
          heard.set(node, (heard.get(node) ?? 0) + 1)
        },
        {
          schema: Schema.Array(Schema.String),
          snapshot: () => list,
          install: (state) => void list.push(...state)
        }
      )
      for (let i = 1; i <= 40; i++) {
        yield* posts.send(`${node}.${i}`)
        yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 8)))
      }
    })
  const result = await Effect.runPromise(
    Simulation.run({
      seed,
      nodes,
      program,
      yieldProbability: 0.05,
      duration: "20 seconds",
      faults: { lossProbability: 0.02 },
      test: () =>
        Effect.gen(function* () {
          yield* Effect.sleep("1 milli")
          for (const node of ["n1", "n2"]) yield* Queue.offer(told.get(node)!, views[0]!)
          yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(20, 150)))
          for (const node of nodes) {
            yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 10)))
            yield* Queue.offer(told.get(node)!, views[1]!)
          }
          yield* Effect.sleep("15 seconds")
        })
    })
  )
  return { heard, lists, violations: result.violations }
}

it("is given the state at the view, and then each message once, over 100 seeds", async () => {
  let byState = 0
  for (let seed = 1; seed <= 100; seed++) {
    const { heard, lists, violations } = await world(seed)
    expect(violations).toEqual([])
    const all = nodes.flatMap((node) => Array.from({ length: 40 }, (_, i) => `${node}.${i + 1}`)).sort()
    for (const node of nodes) {
      const list = lists.get(node)!
      expect([...list].sort(), `seed ${seed}, ${node}`).toEqual(all)
      for (const from of nodes) {
        const own = list.filter((each) => each.startsWith(from))
        expect(own).toEqual(Array.from({ length: 40 }, (_, i) => `${from}.${i + 1}`))
      }
    }
    byState += all.length - heard.get("n3")!
  }
  // The joiner was given what was before it, and heard the rest itself.
  expect(byState).toBeGreaterThan(100 * 5)
  expect(byState).toBeLessThan(100 * 75)
})
