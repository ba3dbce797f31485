/** What is said to actors of several nodes alike is written once. */
import { expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, Messages, Receptionist, Router } from "@troupe/actor"
import { Effect, Schema } from "effect"
import { afterEach, vi } from "vitest"
import { Talk } from "../../src/internal/receptionist/talk.ts"
import { messageOf } from "../../src/internal/system/codecs.ts"
import { network, type Node, paths, settled, start } from "./nodes.ts"

const News = Messages.make("news", {
  Item: Messages.tell({ text: Schema.NonEmptyString }),
  Last: Messages.ask({ default: Schema.NonEmptyString }, { reply: Schema.String })
})
type News = typeof News.definition

const reader = (read: Array<string>) =>
  Behavior.make(News, {
    init: () => read,
    on: {
      Item: (state, { text }) => (state.push(text), state),
      Last: (state, message) => ({ state, reply: state.at(-1) ?? message.default })
    }
  })

/** The tags of what is written of these messages, in their order. */
const writtenOf = (messages: Messages.Messages<any>): ReadonlyArray<string> => {
  const tags: Array<string> = []
  const codec = messageOf(messages)
  const write = codec.write.bind(codec)
  vi.spyOn(codec, "write").mockImplementation((message, into) => {
    write(message, into)
    tags.push(message._tag)
  })
  return tags
}

afterEach(() => void vi.restoreAllMocks())

const three = Effect.gen(function* () {
  const net = network(["n1", "n2", "n3"])
  return (yield* Effect.forEach(net.nodes, (node) => start(net, node))) as [Node, Node, Node]
})

/** A router at n1 in front of a reader of each node, and what they have read. */
const routed = Effect.gen(function* () {
  const nodes = yield* three
  const [here] = nodes
  const read: Array<string> = []
  const readers: Array<ActorRef<News>> = []
  for (const [at, { system }] of nodes.entries()) {
    const ref = yield* system.spawn(reader(read), { name: "reader" })
    readers.push(at === 0 ? ref : yield* here.system.at(News, "reader", `n${at + 1}`))
  }
  const router = yield* Effect.provide(ActorSystem.spawn(Router.make(News, readers, Router.all)), here.context)
  return { read, readers, router, here }
})

it.effect("what a router in front of all is told", () =>
  Effect.gen(function* () {
    const { read, router } = yield* routed
    const written = writtenOf(News)
    router.tell({ _tag: "Item", text: "it works" })
    yield* settled
    expect({ written, read }).toEqual({ written: ["Item"], read: Array(3).fill("it works") })
  }).pipe(Effect.scoped)
)

it.effect("what a router in front of all is asked", () =>
  Effect.gen(function* () {
    const { here, readers } = yield* routed
    const router = Router.make(News, readers.slice(1), Router.all)
    const ref = yield* Effect.provide(ActorSystem.spawn(router), here.context)
    const written = writtenOf(News)
    expect(yield* ref.ask({ _tag: "Last", default: "none" })).toBe("none")
    yield* settled
    expect(written).toEqual(["Last"])
  }).pipe(Effect.scoped)
)

it.effect("what cannot be written is told of for each of them: by dead letters, or to who asks", () =>
  Effect.gen(function* () {
    const { here, read, readers } = yield* routed
    const ref = yield* Effect.provide(ActorSystem.spawn(Router.make(News, readers.slice(1), Router.all)), here.context)
    ref.tell({ _tag: "Item", text: "" })
    yield* settled
    expect({ read, letters: here.system.counters().deadLetters }).toEqual({ read: [], letters: 2 })
    const refused = yield* Effect.flip(ref.ask({ _tag: "Last", default: "" }))
    expect(refused).toMatchObject({ _tag: "Misunderstood", reason: expect.stringMatching(/^Last: \w+Error/) })
  }).pipe(Effect.scoped)
)

it.effect("what a receptionist has to say of who is registered with it", () =>
  Effect.gen(function* () {
    const [one, ...others] = yield* three
    const key = Receptionist.key(News)
    yield* settled
    const written = writtenOf(Talk)
    yield* one.receptionist.register(key, yield* one.system.spawn(reader([]), { name: "ann" }))
    yield* settled
    expect(written).toEqual(["Changed"])
    for (const other of others) expect(paths(yield* other.receptionist.find(key))).toEqual(["n1:ann"])
  }).pipe(Effect.scoped)
)
