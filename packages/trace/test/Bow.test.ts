import { describe, expect, it } from "@effect/vitest"
import type { Trace } from "@troupe/trace"
import { measure, type PlacedArrow } from "../src/internal/Geometry.ts"
import { layout } from "../src/internal/Layout.ts"

/** The first node sends to all others, which receive it in the order of their lanes, each in the next row. */
const broadcast = (nodes: ReadonlyArray<string>): Trace.Trace => {
  const [first, ...others] = nodes as [string, ...Array<string>]
  return {
    header: { _tag: "Trace", version: 1, title: "to all", source: "driver", nodes },
    events: [
      {
        _tag: "Step",
        node: first,
        clock: { [first]: 1 },
        actor: "sender",
        input: { _tag: "Start" },
        actions: others.map((to, id) => ({ _tag: "Send", id, to, message: "hello" }))
      },
      ...others.map((node, id): Trace.Event => ({
        _tag: "Step",
        node,
        clock: { [first]: 1, [node]: 1 },
        actor: "sender",
        input: { _tag: "Message", from: first, message: "hello", id },
        actions: []
      }))
    ]
  }
}

/** Where an arrow, straight or bent, is at so much of its way. */
const along = ({ at, from, via }: PlacedArrow, t: number): { readonly x: number; readonly y: number } => {
  const middle = via ?? { x: (from.x + at.x) / 2, y: (from.y + at.y) / 2 }
  const of = (axis: "x" | "y") => from[axis] * (1 - t) ** 2 + 2 * middle[axis] * t * (1 - t) + at[axis] * t ** 2
  return { x: of("x"), y: of("y") }
}

describe("an arrow", () => {
  it.each([[["n1", "n2", "n3", "n4", "n5"]], [["n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8"]]])(
    "keeps off the marks of lanes that it passes: %j",
    (nodes) => {
      const picture = layout(broadcast(nodes), {}, true)
      const geometry = measure(picture)
      for (const placed of geometry.arrows) {
        for (const mark of picture.marks) {
          const { from, to } = placed.arrow
          if (mark.lane === from!.lane || mark.lane === to.lane) continue
          const [x, y] = [geometry.x(mark.lane), geometry.y(mark.row)]
          const distances = Array.from({ length: 201 }, (_, i) => along(placed, i / 200)).map((point) =>
            Math.hypot(point.x - x, point.y - y)
          )
          // A mark is 4 wide each way.
          expect(Math.min(...distances)).toBeGreaterThan(6)
        }
      }
    }
  )

  it("that meets no mark is straight", () => {
    expect(measure(layout(broadcast(["n1", "n2"]), {}, true)).arrows.map(({ via }) => via)).toEqual([undefined])
  })
})
