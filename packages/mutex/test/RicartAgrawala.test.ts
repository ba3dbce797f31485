import { Protocol } from "@troupe/actor"
import { RicartAgrawala } from "@troupe/mutex"
import { describe, expect, it } from "@effect/vitest"

const { protocol } = RicartAgrawala
const command = (_tag: "Acquire" | "Release") => ({ _tag: "Command", command: { _tag } }) as const
const request = (from: string, time: number, view = 0) =>
  ({ _tag: "Message", from, message: { _tag: "Request", time, view } }) as const
const reply = (from: string, time: number) => ({ _tag: "Message", from, message: { _tag: "Reply", time } }) as const
const install = (number: number, members: ReadonlyArray<string>) =>
  ({ _tag: "View", view: { number, members } }) as const

type Input = Protocol.Input<RicartAgrawala.Message, RicartAgrawala.Command, never>

/** A site that has been through `inputs`: its state, and what it asked for in the last step. */
const site = (id: string, nodes: ReadonlyArray<string>, ...inputs: ReadonlyArray<Input>) => {
  const self = Protocol.self(id, nodes, undefined)
  return inputs.reduce<
    ReturnType<
      typeof Protocol.step<
        RicartAgrawala.State,
        RicartAgrawala.Message,
        RicartAgrawala.Command,
        RicartAgrawala.Event,
        never,
        void
      >
    >
  >(({ state }, input) => Protocol.step(protocol, self, state, input), { state: protocol.init(self), actions: [] })
}
const send = (to: string, message: RicartAgrawala.Message) => ({ _tag: "Send", to, message })
const replies = (to: string, time: number) => send(to, { _tag: "Reply", time })
const requests = (to: string, time: number, view = 0) => send(to, { _tag: "Request", time, view })
const enters = (token: number) => ({ _tag: "Emit", event: { _tag: "Acquired", token } })

const sites = ["S5", "S10"]
/** S10 has heard of time 11, and claims (12, 10). */
const s10Claims = [request("S5", 11), command("Acquire")]

describe("requests (Ricart & Agrawala 1981)", () => {
  it("a site asks all others, with a time above all that it has heard", () => {
    expect(site("S10", ["S1", "S5", "S10"], request("S5", 11), command("Acquire")).actions).toEqual([
      requests("S1", 12),
      requests("S5", 12)
    ])
  })

  it("S10, which claims (12,10), replies at once to S5 and its (10,5)", () => {
    const { actions, state } = site("S10", sites, ...s10Claims, request("S5", 10))
    expect(state.phase).toBe("waiting")
    expect(state.claim).toMatchObject({ time: 12, node: "S10" })
    expect(actions).toEqual([replies("S5", 10)])
  })

  it("S5, which claims (10,5), defers its reply to S10 and its (12,10)", () => {
    const { actions, state } = site("S5", sites, request("S10", 9), command("Acquire"), request("S10", 12))
    expect(state.claim).toMatchObject({ time: 10, node: "S5" })
    expect(actions).toEqual([])
    expect(state.deferred).toMatchObject([{ node: "S10", time: 12 }])
  })

  it("a site that neither wants to enter nor is inside replies at once", () => {
    expect(site("S5", sites, request("S10", 3)).actions).toEqual([replies("S10", 3)])
  })

  it("of two claims of one time the lower site goes first", () => {
    expect(site("S10", sites, command("Acquire"), request("S5", 1)).actions).toEqual([replies("S5", 1)])
    expect(site("S5", sites, command("Acquire"), request("S10", 1)).actions).toEqual([])
  })
})

describe("entry and release (Ricart & Agrawala 1981)", () => {
  it("a site enters with the last of the replies, and not before", () => {
    const nodes = ["S1", "S2", "S3"]
    expect(site("S2", nodes, command("Acquire"), reply("S1", 1)).actions).toEqual([])
    expect(site("S2", nodes, command("Acquire"), reply("S1", 1), reply("S3", 1)).actions).toEqual([enters(1 * 3 + 1)])
  })

  it("a reply counts once, and only for the request that it answers", () => {
    const nodes = ["S1", "S2", "S3"]
    expect(site("S2", nodes, command("Acquire"), reply("S1", 1), reply("S1", 1)).state.phase).toBe("waiting")
    const again = [command("Acquire"), command("Release"), command("Acquire")]
    expect(site("S2", nodes, ...again, reply("S1", 1), reply("S3", 1)).state.phase).toBe("waiting")
  })

  it("whoever is inside defers, and a deferred request is answered on release", () => {
    const inside = [command("Acquire"), reply("S10", 1), request("S10", 2)]
    expect(site("S5", sites, ...inside)).toMatchObject({ state: { phase: "inside" }, actions: [] })
    expect(site("S5", sites, ...inside, command("Release"))).toMatchObject({
      state: { phase: "idle", deferred: [] },
      actions: [replies("S10", 2)]
    })
  })

  it("a request that is withdrawn is no reason to defer any more", () => {
    expect(site("S5", sites, command("Acquire"), request("S10", 2), command("Release")).actions).toEqual([
      replies("S10", 2)
    ])
  })

  it("of two requests of one site the later is answered, whichever arrives first", () => {
    const inside = [command("Acquire"), reply("S10", 1)]
    for (const order of [
      [2, 3],
      [3, 2]
    ]) {
      const deferred = order.map((time) => request("S10", time))
      expect(site("S5", sites, ...inside, ...deferred, command("Release")).actions).toEqual([replies("S10", 3)])
    }
  })

  it("a command that makes no sense now changes nothing", () => {
    const waiting = site("S5", sites, command("Acquire")).state
    expect(site("S5", sites, command("Acquire"), command("Acquire"))).toEqual({ state: waiting, actions: [] })
    expect(site("S5", sites, command("Release"))).toMatchObject({ state: { phase: "idle" }, actions: [] })
  })

  it("a site that is alone enters at once", () => {
    expect(site("S5", ["S5"], command("Acquire")).actions).toEqual([enters(1)])
  })

  it("tokens end at 2^53, and a token beyond is refused", () => {
    expect(() => site("S5", ["S5"], request("S9", 2 ** 53 - 1), command("Acquire"))).toThrow(
      "fencing tokens are used up"
    )
  })
})

describe("views (Ricart & Agrawala 1981: nodes come, go and fail)", () => {
  const nodes = ["S1", "S2", "S3"]
  const floor = 2 ** 30

  it("a site that waits asks the members of the new view, with a later claim", () => {
    const { actions, state } = site("S1", nodes, command("Acquire"), install(1, ["S1", "S2"]))
    expect(actions).toEqual([requests("S2", floor + 1, 1)])
    expect(state).toMatchObject({ phase: "waiting", awaiting: ["S2"] })
  })

  it("a view that leaves out everybody else lets a waiting site in", () => {
    expect(site("S1", nodes, command("Acquire"), install(1, ["S1"])).actions).toEqual([enters((floor + 1) * 3)])
  })

  it("a request of a newer view waits until that view is installed", () => {
    const early = [request("S2", floor + 7, 1)]
    expect(site("S1", nodes, ...early)).toMatchObject({ state: { time: 0 }, actions: [] })
    expect(site("S1", nodes, ...early, install(1, nodes))).toMatchObject({
      state: { time: floor + 7, deferred: [] },
      actions: [replies("S2", floor + 7)]
    })
  })

  it("the times of a newer view do not count in the present one: its claims come before", () => {
    expect(site("S1", nodes, request("S2", floor + 7, 1), command("Acquire")).state.claim.time).toBe(1)
  })

  it("a request of an older view is ignored", () => {
    const { state } = site("S1", nodes, install(1, nodes))
    expect(site("S1", nodes, install(1, nodes), request("S2", 5, 0))).toEqual({ state, actions: [] })
  })

  it("a holder goes on to hold, and answers those of its view when it leaves", () => {
    const held = [command("Acquire"), reply("S2", 1), reply("S3", 1), install(1, nodes), request("S3", floor + 1, 1)]
    expect(site("S1", nodes, ...held)).toMatchObject({ state: { phase: "inside" }, actions: [] })
    expect(site("S1", nodes, ...held, command("Release")).actions).toEqual([replies("S3", floor + 1)])
  })

  it("a view that is older, or that leaves this site out, changes nothing", () => {
    const { state } = site("S1", nodes, install(2, nodes))
    for (const view of [install(2, ["S1"]), install(1, ["S1"]), install(3, ["S2", "S3"])]) {
      expect(site("S1", nodes, install(2, nodes), view)).toEqual({ state, actions: [] })
    }
  })
})
