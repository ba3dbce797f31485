import { describe, expect, it } from "@effect/vitest"
import { Protocol } from "@troupe/actor"
import { Schema } from "effect"
import { clear, emit, recorder, send, set } from "./support.ts"

const self = Protocol.self("n2", ["n1", "n2", "n3"], undefined)

describe("Protocol.step", () => {
  it("returns the next state and what was asked for, in the order of asking, and does nothing", () => {
    const command = [send("n1", "a"), set("t", 5), clear("t"), emit("e")]
    const state: ReadonlyArray<string> = Object.freeze(["start"])
    expect(Protocol.step(recorder(), self, state, { _tag: "Command", command })).toEqual({
      state: ["start", "command"],
      actions: [
        { _tag: "Send", to: "n1", message: "a" },
        { _tag: "SetTimer", timer: "t", delayMillis: 5 },
        { _tag: "ClearTimer", timer: "t" },
        { _tag: "Emit", event: "e" }
      ]
    })
  })

  it("leads each kind of input to its handler", () => {
    const state = (input: Protocol.Input<string, ReadonlyArray<never>>) =>
      Protocol.step(recorder(), self, [], input).state
    expect(state({ _tag: "Start" })).toEqual(["start"])
    expect(state({ _tag: "Command", command: [] })).toEqual(["command"])
    expect(state({ _tag: "Message", from: "n1", message: "hello" })).toEqual(["n1: hello"])
    expect(state({ _tag: "Timeout", timer: "t" })).toEqual(["timeout t"])
    expect(state({ _tag: "View", view: { number: 3, members: [] } })).toEqual(["view 3"])
  })

  it("leaves the state as it is where the protocol has no handler", () => {
    const { name, message, init, onCommand, onMessage } = recorder()
    const bare = { name, message, init, onCommand, onMessage }
    const state = ["as it was"]
    for (const input of [
      { _tag: "Start" },
      { _tag: "Timeout", timer: "t" },
      { _tag: "View", view: { number: 1, members: [] } }
    ] as const) {
      expect(Protocol.step(bare, self, state, input)).toEqual({ state, actions: [] })
    }
  })

  it("takes time and chance from the caller, 0 by default", () => {
    const look: Protocol.Protocol<ReadonlyArray<number>, string, "look"> = {
      name: "test/look",
      message: Schema.String,
      init: () => [],
      onCommand: (_state, _look, act) => [act.now(), act.monotonic(), act.random()],
      onMessage: (state) => state
    }
    const input = { _tag: "Command", command: "look" } as const
    expect(Protocol.step(look, self, [], input).state).toEqual([0, 0, 0])
    expect(
      Protocol.step(look, self, [], input, { now: () => 7, monotonic: () => 1.5, random: () => 0.5 }).state
    ).toEqual([7, 1.5, 0.5])
  })

  it("sends to all as to each", () => {
    const shout: Protocol.Protocol<null, string, string> = {
      name: "test/shout",
      message: Schema.String,
      init: () => null,
      onCommand: (state, text, act) => {
        act.sendAll(act.self.peers, text)
        return state
      },
      onMessage: (state) => state
    }
    expect(Protocol.step(shout, self, null, { _tag: "Command", command: "hey" }).actions).toEqual([
      { _tag: "Send", to: "n1", message: "hey" },
      { _tag: "Send", to: "n3", message: "hey" }
    ])
  })
})

describe("Protocol.self", () => {
  it("knows its peers: every node but itself", () => {
    expect(self).toEqual({ id: "n2", nodes: ["n1", "n2", "n3"], peers: ["n1", "n3"], options: undefined })
  })
})
