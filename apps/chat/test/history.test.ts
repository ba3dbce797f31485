/** What a node keeps of a room, and what it is sent of what it lacks. */
import { describe, expect, it } from "@effect/vitest"
import type { ActorSystem } from "@troupe/actor"
import { TestKit } from "@troupe/actor/testing"
import { History, Words } from "@troupe/chat"
import { Effect, type Scope } from "effect"

const post = (time: number, node: string, number: number): Words.Post => ({
  time,
  node,
  number,
  user: "ann",
  text: `${node}.${number}`
})

/** n1 and n2 say something at one time; n1 answers. */
const posts = [post(1, "n1", 1), post(1, "n2", 1), post(2, "n1", 2)]

const of = (all: ReadonlyArray<Words.Post>): History.State => all.reduce(History.add, History.empty)

describe("posts", () => {
  it("are in one order, in whichever they come: by time, and of one time by node", () => {
    expect(of(posts).posts).toEqual(posts)
    expect(of(posts.toReversed()).posts).toEqual(posts)
    expect(of([post(1, "n10", 1), post(1, "n9", 1)]).posts.map(({ node }) => node)).toEqual(["n9", "n10"])
  })

  it("that came before, or are ahead of one that is to come, are not taken", () => {
    const state = of([post(1, "n1", 1)])
    expect(History.fresh(state.have, posts)).toEqual([post(1, "n2", 1), post(2, "n1", 2)])
    expect(History.fresh(state.have, [post(3, "n1", 3)])).toEqual([])
    expect(History.fresh(state.have, [post(2, "n1", 2), post(2, "n1", 2), post(3, "n1", 3)]).length).toBe(2)
  })

  it("that somebody lacks are those past what it has of each node, and no more than one message takes", () => {
    expect(History.missing(of(posts), {})).toEqual(posts)
    expect(History.missing(of(posts), { n1: 1 })).toEqual([post(1, "n2", 1), post(2, "n1", 2)])
    expect(History.missing(of(posts), { n1: 2, n2: 1, n3: 7 })).toEqual([])
    const many = of(Array.from({ length: 500 }, (_, index) => post(index + 1, "n1", index + 1)))
    const sent = History.missing(many, { n1: 100 })
    expect([sent[0]!.number, sent.length]).toEqual([101, 200])
  })
})

const test = <A, E>(effect: Effect.Effect<A, E, TestKit.TestKit | ActorSystem.ActorSystem | Scope.Scope>) =>
  effect.pipe(Effect.scoped, Effect.provide(TestKit.layer()))

describe("the history of a room", () => {
  it.effect("takes a post, and passes it on when it is on disk; it is there after a restart", () =>
    test(
      Effect.gen(function* () {
        const other = yield* TestKit.probe(Words.History)
        const kept: Array<Words.Post> = []
        const { restart, run } = yield* TestKit.eventSourcedTest(
          History.history({
            room: "garden",
            node: "n1",
            others: new Map([["n2", other.ref]]),
            kept: (posts) => kept.push(...posts)
          }),
          { events: [post(7, "n2", 1)] }
        )
        const own = { ...post(8, "n1", 1), text: "hello" }
        const { answer, events } = yield* run({ _tag: "Add", user: "ann", text: "hello" })
        expect([events, answer, kept]).toEqual([[own], { _tag: "Reply", reply: own }, [own]])
        yield* other.expectMessage({ _tag: "Copies", from: "n1", posts: [own] })
        expect(yield* restart).toEqual(of([post(7, "n2", 1), own]))
      })
    )
  )

  it.effect("takes what comes in its turn, and asks for what is missing in between", () =>
    test(
      Effect.gen(function* () {
        const other = yield* TestKit.probe(Words.History)
        const { run } = yield* TestKit.eventSourcedTest(
          History.history({ room: "garden", node: "n1", others: new Map([["n2", other.ref]]), kept: () => {} })
        )
        const copies = (...posts: ReadonlyArray<Words.Post>) => run({ _tag: "Copies", from: "n2", posts })
        expect((yield* copies(post(2, "n2", 2))).events).toEqual([])
        yield* other.expectMessage({ _tag: "Have", from: "n1", have: {} })
        expect((yield* copies(post(1, "n2", 1), post(2, "n2", 2))).events.length).toBe(2)
        expect((yield* copies(post(2, "n2", 2))).events).toEqual([])
      })
    )
  )

  it.effect("that is full refuses a post, and takes copies of what others took at the same time", () =>
    test(
      Effect.gen(function* () {
        const posts = Array.from({ length: 10_001 }, (_, at) => post(at + 1, "n2", at + 1))
        const { run, state } = yield* TestKit.eventSourcedTest(
          History.history({ room: "garden", node: "n1", others: new Map(), kept: () => {} }),
          { events: posts.slice(0, 9_999) }
        )
        const add = run({ _tag: "Add", user: "ann", text: "the last one" })
        expect((yield* add).answer).toMatchObject({ _tag: "Reply", reply: { node: "n1", number: 1, time: 10_000 } })
        const { answer } = yield* add
        expect(answer._tag === "Failure" && answer.failure.message).toBe(
          "garden is full: it has 10000 posts. Go on in another room"
        )
        yield* run({ _tag: "Copies", from: "n2", posts: posts.slice(9_999) })
        expect(state().posts.length).toBe(10_002)
      })
    )
  )
})
