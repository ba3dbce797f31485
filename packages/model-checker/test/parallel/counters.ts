/** A model that is wide and quickly built, and what can go wrong in it. */
import { Model, Property } from "@troupe/model-checker"

type Counts = ReadonlyArray<number>

export type What = "sound" | "broken" | "throws" | "not plain" | "dies" | "stuck"

/** Where it goes wrong, if it does: after so many steps, in a layer of 1,554 states. */
export const wrongAt = 8

/** Seven counters that go up to 3, one at a time. */
export const counters = (what: What): Model.Checkable<Counts> => {
  const isThere = (counts: Counts): boolean => counts.reduce((sum, count) => sum + count, 0) === wrongAt
  return Model.make<Counts, number>({
    name: "counters",
    init: [[0, 0, 0, 0, 0, 0, 0]],
    actions: () => [0, 1, 2, 3, 4, 5, 6],
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
