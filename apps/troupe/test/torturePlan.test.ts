/** Which faults a run has follows from its seed. */
import { describe, expect, it } from "vitest"
import { victimsOf } from "../src/torture/Nemesis.ts"
import { cutsOf, draw, kinds, type Shape } from "../src/torture/Plan.ts"

const nodes = ["n1", "n2", "n3", "n4", "n5"]
const planOf = (seed: number, forMillis = 180_000) => draw({ kinds, nodes, seed, forMillis })

/** From whom each hears. */
const heardBy = (shape: Shape): ReadonlyMap<string, ReadonlyArray<string>> => {
  const cuts = cutsOf(shape, nodes)
  return new Map(
    nodes.map((to) => [to, nodes.filter((from) => from === to || !cuts.some(([a, b]) => a === from && b === to))])
  )
}

describe("a plan of faults", () => {
  it("is the same for the same seed, and another for another", () => {
    expect(planOf(7)).toEqual(planOf(7))
    expect(planOf(8)).not.toEqual(planOf(7))
  })

  it("has all kinds equally often, within the time, with some at once", () => {
    for (let seed = 0; seed < 20; seed++) {
      const plan = planOf(seed)
      const times = kinds.map((kind) => plan.filter(({ fault }) => fault._tag === kind).length)
      expect(Math.max(...times) - Math.min(...times)).toBeLessThanOrEqual(1)
      expect(Math.max(...plan.map((each) => each.fromMillis + each.forMillis))).toBeLessThan(180_000 - 1_000)
      const ends = plan.map((each) => each.fromMillis + each.forMillis)
      expect(plan.some((each, index) => index > 0 && each.fromMillis < ends[index - 1]!)).toBe(true)
    }
  })

  it("has only what was asked for, and nothing where nothing was", () => {
    const tags = draw({ kinds: ["kill"], nodes, seed: 1, forMillis: 60_000 }).map(({ fault }) => fault._tag)
    expect(new Set(tags)).toEqual(new Set(["kill"]))
    expect(draw({ kinds: [], nodes, seed: 1, forMillis: 60_000 })).toEqual([])
  })
})

describe("who is killed, stopped or denied room", () => {
  const victims = (count: number, afflicted: ReadonlyArray<string>, serving: ReadonlyArray<string> = nodes) =>
    victimsOf(nodes, count, new Set(afflicted), new Set(serving))

  it("is the first in the order that nothing has befallen", () => {
    expect(victims(1, [])).toEqual(["n1"])
    expect(victims(1, ["n1"])).toEqual(["n2"])
  })

  it("leaves a majority that serves, whoever else is down", () => {
    expect(victims(2, [])).toEqual(["n1", "n2"])
    expect(victims(2, ["n1"])).toEqual(["n2"])
    expect(victims(2, ["n1", "n2"])).toEqual([])
    expect(victims(2, [], ["n2", "n3", "n4", "n5"])).toEqual(["n2"])
    expect(victims(1, [], ["n3", "n4"])).toEqual([])
  })

  it("is everybody that is left, where all are meant", () => {
    expect(victims(5, ["n2"], [])).toEqual(["n1", "n3", "n4", "n5"])
  })
})

describe("a partition", () => {
  it("that isolates a node cuts it off both ways", () => {
    expect(heardBy("isolated").get("n1")).toEqual(["n1"])
    expect(heardBy("isolated").get("n2")).toEqual(["n2", "n3", "n4", "n5"])
  })

  it("one way lets the other way through", () => {
    expect(heardBy("one-way in").get("n1")).toEqual(["n1"])
    expect(heardBy("one-way in").get("n2")).toEqual(nodes)
    expect(heardBy("one-way out").get("n1")).toEqual(nodes)
    expect(heardBy("one-way out").get("n2")).toEqual(["n2", "n3", "n4", "n5"])
  })

  it("in halves leaves a majority and a minority", () => {
    const heard = heardBy("halves")
    expect(heard.get("n1")).toEqual(["n1", "n2"])
    expect(heard.get("n3")).toEqual(["n3", "n4", "n5"])
  })

  it("with a bridge leaves one node in touch with both sides", () => {
    const heard = heardBy("bridge")
    expect(heard.get("n5")).toEqual(nodes)
    expect(heard.get("n1")).toEqual(["n1", "n2", "n5"])
    expect(heard.get("n3")).toEqual(["n3", "n4", "n5"])
  })

  it("as a ring leaves each in touch with a majority, no two with the same", () => {
    const heard = [...heardBy("ring").values()].map((each) => each.toSorted().join())
    expect(new Set(heard).size).toBe(5)
    for (const each of heard) expect(each.split(",")).toHaveLength(3)
  })
})
