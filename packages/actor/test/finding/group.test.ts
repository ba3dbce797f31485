/** Routers over a service key. */
import { describe, expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, Messages, Receptionist, Router } from "@troupe/actor"
import { Effect, Fiber, Schema } from "effect"
import { network, type Node, settled, start } from "./nodes.ts"

const Worker = Messages.make("worker", {
  Who: Messages.ask({ key: Schema.String }, { reply: Schema.String }),
  Note: Messages.tell({ number: Schema.Int })
})
const Workers = Receptionist.key(Worker)

const notes: Array<number> = []
const worker = (name: string) =>
  Behavior.make(Worker, {
    init: () => 0,
    on: {
      Who: (count) => ({ state: count + 1, reply: name }),
      Note: (count, { number }) => (notes.push(number), count)
    }
  })

const join = (node: Node, name: string) =>
  Effect.gen(function* () {
    const ref = yield* node.system.spawn(worker(name), { name })
    yield* node.receptionist.register(Workers, ref)
    return ref
  })

const router = (node: Node, choice: Router.Choice, options?: { readonly waiting: number }) =>
  Effect.provide(ActorSystem.spawn(Router.group(Workers, choice, options)), node.context)

const keys = Array.from({ length: 60 }, (_, i) => `key ${i}`)

const who = (ref: ActorRef<typeof Worker.definition>) =>
  Effect.forEach(keys, (key) => ref.ask({ _tag: "Who", key }), { concurrency: 10 })

const byKey = Router.consistentHash<typeof Worker.definition>((message) => ("key" in message ? message.key : ""))

const two = Effect.gen(function* () {
  const net = network(["n1", "n2"])
  const nodes = yield* Effect.forEach(net.nodes, (node) => start(net, node))
  return nodes as [Node, Node]
})

describe("a router over a key", () => {
  it.live("is in front of those that are registered, on all nodes, as that changes", () =>
    Effect.gen(function* () {
      const [one, there] = yield* two
      const ref = yield* router(one, Router.roundRobin)
      const ann = yield* join(one, "ann")
      yield* join(there, "bob")
      yield* settled
      expect(new Set(yield* who(ref))).toEqual(new Set(["ann", "bob"]))
      yield* one.system.stop(ann)
      expect(new Set(yield* who(ref))).toEqual(new Set(["bob"]))
      yield* join(there, "eve")
      yield* settled
      expect(new Set(yield* who(ref))).toEqual(new Set(["bob", "eve"]))
    }).pipe(Effect.scoped)
  )

  it.live("hashes a key to the same actor on every node; when one comes or goes, only its keys move", () =>
    Effect.gen(function* () {
      const [one, there] = yield* two
      for (const name of ["ann", "bob"]) yield* join(one, name)
      const eve = yield* join(there, "eve")
      yield* settled
      const [here, other] = [yield* router(one, byKey), yield* router(there, byKey)]
      const first = yield* who(here)
      expect(new Set(first).size).toBe(3)
      expect(yield* who(other)).toEqual(first)
      yield* join(there, "max")
      yield* settled
      const more = yield* who(here)
      expect(more).toContain("max")
      expect(more.filter((name, i) => name !== first[i] && name !== "max")).toEqual([])
      expect(yield* who(other)).toEqual(more)
      yield* there.system.stop(eve)
      yield* settled
      const fewer = yield* who(here)
      expect(fewer.filter((name, i) => name !== more[i] && more[i] !== "eve")).toEqual([])
      expect(yield* who(other)).toEqual(fewer)
    }).pipe(Effect.scoped)
  )

  it.live("has messages wait while there is nobody, in their order and up to its bound", () =>
    Effect.gen(function* () {
      const [one] = yield* two
      const ref = yield* router(one, Router.roundRobin, { waiting: 3 })
      const asking = yield* Effect.forkChild(ref.ask({ _tag: "Who", key: "" }), { startImmediately: true })
      yield* Effect.flip(ref.ask({ _tag: "Who", key: "" }, { timeout: "5 millis" }))
      for (let number = 1; number <= 3; number++) ref.tell({ _tag: "Note", number })
      // Who has had enough holds no place; the third note finds none.
      expect(yield* Effect.flip(ref.ask({ _tag: "Who", key: "" }))).toMatchObject({ _tag: "MailboxFull", capacity: 3 })
      expect(one.system.counters().deadLetters).toBe(2)
      notes.length = 0
      yield* join(one, "ann")
      expect(yield* Fiber.join(asking)).toBe("ann")
      yield* settled
      expect(notes).toEqual([1, 2])
    }).pipe(Effect.scoped)
  )

  it.live("knows them when it starts again", () =>
    Effect.gen(function* () {
      const [one] = yield* two
      const ref = yield* router(one, { _tag: "ConsistentHash", key: (message) => message.key.trim() })
      yield* join(one, "ann")
      ref.tell({ _tag: "Note", number: 1 })
      yield* settled
      expect(one.system.counters()).toMatchObject({ failures: 1, restarts: 1 })
      expect(yield* ref.ask({ _tag: "Who", key: "x" })).toBe("ann")
    }).pipe(Effect.scoped)
  )
})
