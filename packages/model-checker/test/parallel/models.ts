/** Models that threads build for themselves. */
import { Model, Property, System } from "@troupe/model-checker"
import { examples } from "@troupe/model-checker/examples/index"
import { RicartAgrawala } from "@troupe/mutex"

export const example = (name: string, values: Readonly<Record<string, number>>): Model.Checkable<any> =>
  examples.find((each) => each.name === name)!.model(values)

/** Nodes that enter so often each, of which so many crash. */
export const mutex = (nodes: number, entries: number, crashes: number): Model.Checkable<any> =>
  System.make({
    name: "mutex",
    members: System.members(
      RicartAgrawala.protocol,
      Array.from({ length: nodes }, (_, i) => `n${i + 1}`),
      undefined
    ),
    user: {
      memo: 0,
      moves: ({ memo, state }): ReadonlyArray<System.Move<RicartAgrawala.Command, number>> =>
        state.phase === "inside"
          ? [{ _tag: "Command", command: { _tag: "Release" }, memo }]
          : state.phase === "idle" && memo < entries
            ? [{ _tag: "Command", command: { _tag: "Acquire" }, memo: memo + 1 }]
            : []
    },
    crashes: { max: crashes },
    properties: System.guarantees(RicartAgrawala.card)
  })

/** The same without crashes, and only what is about states. */
export const safeMutex = (nodes: number, entries: number): Model.Checkable<any> => {
  const model = mutex(nodes, entries, 0)
  return { ...model, properties: model.properties.filter(({ kind }) => kind === "always") }
}

type Counts = ReadonlyArray<number>

export type What = "sound" | "broken" | "throws" | "not plain" | "dies" | "stuck"

/** Where it goes wrong, if it does: after so many steps, in the widest layer, of 8,092 states. */
export const wrongAt = 12

/** Eight counters that go up to 3, one at a time. */
export const counters = (what: What): Model.Checkable<Counts> => {
  const isThere = (counts: Counts): boolean => counts.reduce((sum, count) => sum + count, 0) === wrongAt
  return Model.make<Counts, number>({
    name: "counters",
    init: [[0, 0, 0, 0, 0, 0, 0, 0]],
    actions: () => [0, 1, 2, 3, 4, 5, 6, 7],
    next: (counts, at) => {
      if (counts[at]! === 3) return undefined
      const next = counts.with(at, counts[at]! + 1)
      if (what === "dies" && isThere(next)) throw new Error("out of order")
      return what === "not plain" && isThere(next) ? [...next, new Date(0) as never] : next
    },
    properties: [
      Property.always("all is well", (counts) => {
        if (what === "throws" && isThere(counts)) throw new RangeError("out of reach")
        return what !== "broken" || !isThere(counts)
      }),
      Property.sometimes("all are at 2", (counts) => counts.every((count) => count === 2)),
      Property.atTheEnd("ends", () => what !== "stuck")
    ]
  })
}
