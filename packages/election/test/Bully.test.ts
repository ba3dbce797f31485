import { Protocol } from "@troupe/actor"
import { Bully } from "@troupe/election"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { nodesOf, run, states } from "./system.ts"

const { protocol } = Bully
type Input = Protocol.Input<Bully.Message, never, "answer" | "coordinator" | "claim" | "heartbeat" | "suspect">

const ten = nodesOf(10)
const from = (node: string, message: Bully.Message) => ({ _tag: "Message", from: node, message }) as const
const timeout = (timer: Extract<Input, { _tag: "Timeout" }>["timer"]) => ({ _tag: "Timeout", timer }) as const
const send = (to: string, message: Bully.Message) => ({ _tag: "Send", to, message })
const seen = (epoch: number) => ({ seen: epoch })
/** The first epoch of P10: 10 nodes, rank 9. */
const epoch = 19

/** A process that has been through `inputs`: its state, what it sent and what it told in the last step. */
const process = (id: string, ...inputs: ReadonlyArray<Input>) => {
  const self = Protocol.self(id, ten, Bully.defaults)
  let state = protocol.init(self)
  let actions: ReadonlyArray<Protocol.Action<Bully.Message, Bully.Event>> = []
  for (const input of inputs) ({ actions, state } = Protocol.step(protocol, self, state, input))
  return {
    state,
    sent: actions.filter(({ _tag }) => _tag === "Send"),
    told: actions.flatMap((action) => (action._tag === "Emit" ? [action.event.leader] : [])),
    timers: Object.fromEntries(
      actions.flatMap((action) => (action._tag === "SetTimer" ? [[action.timer, action.delayMillis]] : []))
    )
  }
}
/** P10 leads, and `id` follows it. */
const follower = (id: string, ...inputs: ReadonlyArray<Input>) =>
  process(id, { _tag: "Start" }, from("P10", { _tag: "Coordinator", epoch }), ...inputs)

describe("P7 finds P10 dead (Garcia-Molina 1982, the bully algorithm)", () => {
  it("quiz 11: P7 sends ELECTION to P8, P9 and P10", () => {
    const { sent, state } = follower("P7", timeout("suspect"))
    expect(state).toMatchObject({ role: "electing", leader: undefined })
    expect(sent).toEqual(["P8", "P9", "P10"].map((node) => send(node, { _tag: "Election", ...seen(epoch) })))
  })

  it("quiz 11: P8 receives it, sends OK to P7, and starts its own election", () => {
    const { sent, state } = follower("P8", from("P7", { _tag: "Election", ...seen(epoch) }))
    expect(state.role).toBe("electing")
    expect(sent).toEqual([
      send("P7", { _tag: "Ok", ...seen(epoch) }),
      send("P9", { _tag: "Election", ...seen(epoch) }),
      send("P10", { _tag: "Election", ...seen(epoch) })
    ])
  })

  it("quiz 24: OK tells P7 to stop its election, for a higher one takes over: it claims nothing, and waits to hear", () => {
    const { sent, state, timers } = follower("P7", timeout("suspect"), from("P8", { _tag: "Ok", ...seen(epoch) }))
    expect(state.role).toBe("deferring")
    expect(sent).toEqual([])
    expect(Object.keys(timers)).toEqual(["coordinator"])
  })

  it.live("quiz 11: P8 and P9 are alive, P10 is dead: neither P7 nor P8 leads, P9 does", () =>
    Effect.gen(function* () {
      const { value } = yield* run({
        nodes: 10,
        duration: "1 hour",
        test: (simulator) =>
          Effect.gen(function* () {
            yield* Effect.sleep("5 seconds")
            // P7 misses two heartbeats that the others hear: it is the first to find P10 dead.
            yield* simulator.cut(["P10"], ["P7"])
            yield* Effect.sleep(2 * Bully.defaults.heartbeatEveryMillis)
            yield* simulator.crash("P10")
            const led = new Set<string>()
            for (let millis = 0; millis < 5000; millis += 10) {
              yield* Effect.sleep("10 millis")
              for (const [node, { role }] of Object.entries(states(simulator)))
                if (role === "leading" && node !== "P10") led.add(node)
            }
            return led
          })
      })
      expect(value).toEqual(new Set(["P9"]))
    })
  )

  it("P9, which only P10 was above, announces itself to all below, in a later epoch; leads when nobody objects", () => {
    const claims = follower("P9", timeout("suspect"))
    expect(claims.state).toMatchObject({ role: "claiming", leader: undefined })
    expect(claims.sent).toEqual(nodesOf(8).map((node) => send(node, { _tag: "Coordinator", epoch: 28 })))
    const leads = follower("P9", timeout("suspect"), timeout("claim"))
    expect(leads.state.role).toBe("leading")
    expect(leads.told).toEqual([{ id: "P9", epoch: 28 }])
  })

  it("P8, which hears no OK, does so as well", () => {
    const asks = follower("P8", timeout("suspect"))
    expect(asks.sent).toEqual(["P9", "P10"].map((node) => send(node, { _tag: "Election", ...seen(epoch) })))
    const claims = follower("P8", timeout("suspect"), timeout("answer"))
    expect(claims.sent).toEqual(nodesOf(7).map((node) => send(node, { _tag: "Coordinator", epoch: 27 })))
  })

  it.live("P9 leads; P10 comes back and bullies it", () =>
    Effect.gen(function* () {
      const { value, violations } = yield* run({
        nodes: 10,
        duration: "1 hour",
        test: (simulator) =>
          Effect.gen(function* () {
            yield* Effect.sleep("5 seconds")
            yield* simulator.crash("P10")
            yield* Effect.sleep("5 seconds")
            const deputy = states(simulator)["P7"]!.leader
            yield* simulator.restart("P10")
            yield* Effect.sleep("5 seconds")
            return [deputy, states(simulator)["P7"]!.leader]
          })
      })
      expect(violations).toEqual([])
      expect(value!.map((leader) => leader!.id)).toEqual(["P9", "P10"])
      expect(value![1]!.epoch).toBeGreaterThan(value![0]!.epoch)
    })
  )
})

describe("an election", () => {
  it("the highest announces itself at once", () => {
    expect(process("P10", { _tag: "Start" }).sent).toEqual(
      nodesOf(9).map((node) => send(node, { _tag: "Coordinator", epoch }))
    )
  })

  it("is held again when whoever took over does not announce itself", () => {
    const { sent } = follower(
      "P8",
      timeout("suspect"),
      from("P9", { _tag: "Ok", ...seen(epoch) }),
      timeout("coordinator")
    )
    expect(sent).toEqual(["P9", "P10"].map((node) => send(node, { _tag: "Election", ...seen(epoch) })))
  })

  it("a leader that is asked says that it leads, and holds none", () => {
    const { sent, state } = process(
      "P10",
      { _tag: "Start" },
      timeout("claim"),
      from("P3", { _tag: "Election", ...seen(0) })
    )
    expect(state.role).toBe("leading")
    expect(sent).toEqual([send("P3", { _tag: "Ok", ...seen(epoch) }), send("P3", { _tag: "Heartbeat", epoch })])
  })

  it("a process that hears of a lower leader holds one", () => {
    expect(follower("P7", from("P5", { _tag: "Heartbeat", epoch: 24 })).state.role).toBe("electing")
  })
})

describe("epochs", () => {
  it("a claim to an epoch that is not the latest is objected to, and made anew", () => {
    const objection = follower("P7", from("P8", { _tag: "Coordinator", epoch: 18 }))
    expect(objection.sent).toEqual([send("P8", { _tag: "Stale", epoch: 18, seen: epoch })])
    const anew = process("P10", { _tag: "Start" }, from("P7", { _tag: "Stale", epoch, seen: 45 }))
    expect(anew.state).toMatchObject({ role: "claiming", claimed: 59 })
  })

  it("an objection to an earlier claim is not one to the present", () => {
    const claims = [from("P7", { _tag: "Stale", epoch, seen: 45 }), timeout("claim")] as const
    const { sent, state } = process("P10", { _tag: "Start" }, ...claims, from("P6", { _tag: "Stale", epoch, seen: 59 }))
    expect(state).toMatchObject({ role: "leading", claimed: 59 })
    expect(sent).toEqual([])
  })

  it("a leader that has forgotten its epoch in a crash does not get it again", () => {
    const { sent, state } = follower("P7", from("P10", { _tag: "Coordinator", epoch }))
    expect(state.leader).toEqual({ id: "P10", epoch })
    expect(sent).toEqual([send("P10", { _tag: "Stale", epoch, seen: epoch })])
  })
})

describe("timing", () => {
  it("a follower bears the silence of a claimant: a round trip, and the way of the first heartbeat", () => {
    const self = Protocol.self("P7", ten, { heartbeatEveryMillis: 10, roundTripMillis: 400 })
    const { actions } = Protocol.step(protocol, self, protocol.init(self), from("P10", { _tag: "Coordinator", epoch }))
    const suspect = actions.find((action) => action._tag === "SetTimer" && action.timer === "suspect")
    expect(suspect).toMatchObject({ delayMillis: 800 })
  })
})
