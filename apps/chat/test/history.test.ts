/** What a node keeps of a room, and what it is sent of what it lacks. */
import { History, type Words } from "@troupe/chat"
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
