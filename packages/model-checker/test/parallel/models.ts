/** Models that threads build for themselves. */
import { type Model, type Property, System } from "@troupe/model-checker"
import { examples } from "@troupe/model-checker/examples/index"
import { RicartAgrawala } from "@troupe/mutex"

export const example = (name: string, values: Readonly<Record<string, number>>): Model.Checkable<any> =>
  examples.find((each) => each.name === name)!.model(values)

/** Nodes that enter so often each, of which so many crash; and only properties of these kinds. */
export const mutex = (
  nodes: number,
  entries: number,
  crashes: number,
  kinds: ReadonlyArray<Property.Kind> = ["always", "sometimes"]
): Model.Checkable<any> =>
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
    properties: System.guarantees(RicartAgrawala.card).filter(({ kind }) => kinds.includes(kind))
  })
