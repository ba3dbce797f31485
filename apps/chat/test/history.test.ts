/** What a node keeps of a room, and what it is sent of what it lacks. */
import { ActorSystem } from "@troupe/actor"
import { History, type Words } from "@troupe/chat"
import { MemoryStorage } from "@troupe/storage"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"

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
    expect(History.fresh(state, posts)).toEqual([post(1, "n2", 1), post(2, "n1", 2)])
    expect(History.fresh(state, [post(3, "n1", 3)])).toEqual([])
    expect(History.fresh(state, [post(2, "n1", 2), post(2, "n1", 2), post(3, "n1", 3)]).length).toBe(2)
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

describe("a room that is full", () => {
  it("refuses a post, and takes copies of what others took at the same time", () =>
    Effect.gen(function* () {
      const behavior = History.history({ room: "garden", node: "n1", others: new Map(), kept: () => {} })
      const ref = yield* ActorSystem.spawn(behavior)
      const copy = (from: number, to: number): void => {
        const posts = Array.from({ length: to - from }, (_, at) => post(from + at + 1, "n2", from + at + 1))
        ref.tell({ _tag: "Copies", from: "n2", posts })
      }
      copy(0, 9_999)
      const add = ref.ask({ _tag: "Add", user: "ann", text: "the last one" })
      expect(yield* add).toMatchObject({ node: "n1", number: 1, time: 10_000 })
      const { message } = yield* Effect.flip(add)
      expect(message).toBe("garden is full: it has 10000 posts. Go on in another room")
      copy(9_999, 10_001)
      expect((yield* ref.ask({ _tag: "Read", last: 20_000 })).length).toBe(10_002)
    }).pipe(Effect.provide([ActorSystem.layer(), MemoryStorage.layer()]), Effect.runPromise))
})
