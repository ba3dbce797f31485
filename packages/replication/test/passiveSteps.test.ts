/** Single steps of passive replication: what a message does that a network has doubled, or that says no. */
import { Protocol } from "@troupe/actor"
import { Passive } from "@troupe/replication"
import { describe, expect, it } from "vitest"
import { numbers, put } from "./machines.ts"

const nodes = ["n1", "n2", "n3"]
const protocol = Passive.protocol(numbers)
const as = (node: string) => Protocol.self(node, nodes, Passive.defaults)

type State = ReturnType<typeof protocol.init>
type Input = Parameters<typeof Protocol.step<State, any, any, any, any, any, any>>[3]

const after = (node: string, inputs: ReadonlyArray<Input>, from?: State) => {
  const self = as(node)
  let state = from ?? Protocol.step(protocol, self, protocol.init(self), { _tag: "Start" }).state
  let actions: ReadonlyArray<Protocol.Action<any, any, any, any>> = []
  for (const input of inputs) ({ actions, state } = Protocol.step(protocol, self, state, input as never))
  return { state, actions }
}

const from = (node: string, message: object): Input => ({ _tag: "Message", from: node, message })
const tick: Input = { _tag: "Timeout", timer: "tick" }
const requests = (sending: number, view = 1) =>
  from("n3", { _tag: "Requests", view, life: 1, sending, floor: 1, asked: [{ counter: 1, request: put("x", 7) }] })

/** n1 leads, and both others follow. */
const leading = after("n1", [
  from("n1", { _tag: "Vote", view: 1, at: 0, atView: 0 }),
  from("n2", { _tag: "Vote", view: 1, at: 0, atView: 0 }),
  from("n1", { _tag: "Ack", view: 1, round: 1, at: 1 }),
  from("n2", { _tag: "Ack", view: 1, round: 1, at: 1 }),
  from("n3", { _tag: "Ack", view: 1, round: 1, at: 1 })
]).state

const silence = Array.from({ length: Passive.defaults.silentTicks }, () => tick)
const apart = after("n1", silence, leading).state
const isRefused = ({ actions }: ReturnType<typeof after>): boolean =>
  actions.some((action) => action._tag === "Send" && action.message._tag === "Refused")
const isExecuted = ({ actions }: ReturnType<typeof after>): boolean =>
  actions.some((action) => action._tag === "Persist" && action.record._tag === "Append")

describe("a request", () => {
  it("that was refused is not executed when a network brings it again: whoever asked was told that nothing was changed", () => {
    const refused = after("n1", [requests(1)], apart)
    expect(isRefused(refused)).toBe(true)
    const again = after("n1", [from("n2", { _tag: "Ack", view: 1, round: 1, at: 1 }), requests(1)], refused.state)
    expect(again.actions).toEqual([])
    expect(isExecuted(after("n1", [requests(2)], again.state))).toBe(true)
  })

  it("that was overtaken is executed, and those of another view are not", () => {
    const overtaken = after("n1", [requests(5), requests(3)], leading)
    expect(overtaken.state.heard[2]).toEqual({ life: 1, latest: 5, before: 0b10 })
    expect(after("n1", [requests(3)], overtaken.state).actions).toEqual([])
    expect(after("n1", [requests(40), requests(5)], overtaken.state).actions).toEqual([])
    const elsewhere = after("n1", [requests(1, 4)], leading)
    expect(isRefused(elsewhere)).toBe(true)
    expect(isExecuted(elsewhere)).toBe(false)
  })

  it("of an earlier life of the client's node is not heeded, and those of a later one count anew", () => {
    const later = after(
      "n1",
      [from("n3", { ...messageOf(requests(1)), life: 2 })],
      after("n1", [requests(9)], leading).state
    )
    expect(later.state.heard[2]).toEqual({ life: 2, latest: 1, before: 0 })
    expect(after("n1", [requests(10)], later.state).actions).toEqual([])
  })
})

const messageOf = (input: Input): object => (input as { readonly message: object }).message

describe("a backup", () => {
  it("whose primary does nothing but refuse misses it: one that hears nobody would be waited for as long as it is asked", () => {
    const beat = { _tag: "Prepare", view: 1, round: 2, at: 0, atView: 0, commit: 0, last: 0, batches: [] }
    const following = after("n2", [from("n1", beat)])
    const refused = from("n1", { _tag: "Refused", life: 1, counters: [1], reason: "apart" })
    const asking = silence.flatMap((each) => [refused, each])
    const { actions } = after("n2", asking, following.state)
    expect(actions).toContainEqual({ _tag: "Send", to: "n1", message: { _tag: "Missing", view: 1 }, now: true })
  })
})
