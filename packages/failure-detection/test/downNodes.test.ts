/** Who is down, to others that only want to know that. */
import { expect, it } from "@effect/vitest"
import { downNodes, FailureDetector, type Status, UnknownNode } from "@troupe/failure-detection"
import { Effect, Stream } from "effect"

const changes: ReadonlyArray<readonly [string, Status]> = [
  ["n2", "suspected"],
  ["n3", "suspected"],
  ["n2", "up"],
  ["n3", "down"],
  ["n4", "left"]
]

const detector = FailureDetector.of({
  self: "n1",
  opinions: Effect.succeed(new Map()),
  opinion: (node) => Effect.fail(new UnknownNode({ self: "n1", node })),
  changes: Stream.fromIterable(changes.map(([node, status]) => ({ node, status, level: 1 })))
})

it.effect.each([
  ["are dead or have left; not who is only suspected", {}, ["n3", "n4"]],
  ["are suspected too, where a detector says no more than that", { suspected: true }, ["n2", "n3", "n3", "n4"]]
] as const)("those who %s", ([, options, down]) =>
  Effect.gen(function* () {
    const found = yield* Stream.runCollect(downNodes(options)).pipe(Effect.provideService(FailureDetector, detector))
    expect(found).toEqual(down)
  })
)
