import {
  Bully,
  CandidateOrdinary,
  ChangRoberts,
  DolevKlaweRodeh,
  type Election,
  HighamPrzytycka,
  HirschbergSinclair,
  InvalidOptions,
  Invitation,
  LeaseElection,
  LeLann,
  NextInLine,
  Ring
} from "@troupe/election"
import { Memory, Transport } from "@troupe/transport"
import { Effect, Layer } from "effect"
import { describe, expect, it } from "vitest"

const elections: Readonly<Record<string, { readonly layer: () => Layer.Layer<Election, unknown, Transport> }>> = {
  Bully,
  CandidateOrdinary,
  ChangRoberts,
  DolevKlaweRodeh,
  HighamPrzytycka,
  HirschbergSinclair,
  Invitation,
  LeaseElection,
  LeLann,
  NextInLine,
  Ring
}

describe.each(Object.entries(elections))("%s", (_name, { layer }) => {
  /** Why a node of a transport is refused that says that its group is `nodes`. */
  const refusal = async (nodes: ReadonlyArray<string>, self: string) => {
    const group = Layer.effect(
      Transport,
      Effect.map(Memory.connect(Memory.network({ nodes: ["n1", "n2", "n3"] }), self), (transport) => ({
        ...transport,
        nodes
      }))
    )
    const failure = await Effect.runPromise(Effect.flip(Effect.scoped(Layer.build(Layer.provide(layer(), group)))))
    expect(failure).toBeInstanceOf(InvalidOptions)
    return (failure as InvalidOptions).message
  }

  it("an empty group is refused", async () => {
    expect(await refusal([], "n3")).toContain('node "n3" is not in its group, which is empty')
  })

  it("a node that is not in its own group is refused, by name", async () => {
    expect(await refusal(["n1", "n2"], "n3")).toContain('node "n3" is not in its group, which is n1, n2')
  })

  it("a group that names a node twice is refused, by name", async () => {
    expect(await refusal(["n1", "n2", "n2", "n3"], "n3")).toContain('its group names node "n2" twice')
  })
})
