import { Coordinator, InvalidOptions } from "@troupe/mutex"
import { Memory } from "@troupe/transport"
import { Effect, Layer, type Option, Stream } from "effect"
import { describe, expect, it } from "vitest"
import { acquire, command, enters, from, release, send, siteOf, suspect, trust } from "./sites.ts"

const site = siteOf(Coordinator.protocol, Coordinator.defaults)
const electedSite = siteOf(Coordinator.protocol, { coordinator: "elected" })
const nodes = ["n1", "n2", "n3"]
const requests = (node: string, number: number) => from(node, { _tag: "Request", number })
const releases = (node: string, number: number) => from(node, { _tag: "Release", number })
const reports = (node: string, epoch: number, number: number, phase: "idle" | "waiting" | "inside") =>
  from(node, { _tag: "Report", epoch, number, phase })
const inquires = (node: string, epoch: number) => from(node, { _tag: "Inquire", epoch })
const elected = (leader: string, epoch: number) => command({ _tag: "Elected", leader, epoch })
const granted = (node: string, epoch: number, number: number, token: number) =>
  from(node, { _tag: "Grant", epoch, number, token })
const knows = (node: string, asked: number, number: number) => from(node, { _tag: "Known", asked, number })
const token = (epoch: number, grants: number) => epoch * 2 ** 30 + grants
const grants = (to: string, epoch: number, number: number, count: number) =>
  send(to, { _tag: "Grant", epoch, number, token: token(epoch, count) })

describe("the coordinator", () => {
  it("three messages: a request, a grant, a release", () => {
    expect(site("n2", nodes, acquire).actions).toEqual([send("n1", { _tag: "Request", number: 1 })])
    expect(site("n1", nodes, requests("n2", 1)).actions).toEqual([grants("n2", 0, 1, 1)])
    expect(site("n2", nodes, acquire, granted("n1", 0, 1, 1)).actions).toEqual([enters(1)])
    expect(site("n2", nodes, acquire, granted("n1", 0, 1, 1), release).actions).toEqual([
      send("n1", { _tag: "Release", number: 1 })
    ])
  })

  it("none at the coordinator itself", () => {
    expect(site("n1", nodes, acquire).actions).toEqual([enters(1)])
    expect(site("n1", nodes, acquire, release, acquire).actions).toEqual([enters(2)])
  })

  it("the next is granted when the holder has left, in the order of asking", () => {
    const asked = [requests("n3", 1), requests("n2", 1), acquire]
    expect(site("n1", nodes, ...asked).actions).toEqual([])
    expect(site("n1", nodes, ...asked, releases("n3", 1)).actions).toEqual([grants("n2", 0, 1, 2)])
    expect(site("n1", nodes, ...asked, releases("n3", 1), releases("n2", 1)).actions).toEqual([enters(3)])
  })

  it("a request that is withdrawn is not granted; a grant that comes too late is given back", () => {
    const asked = [acquire, requests("n2", 1), releases("n2", 1), release]
    expect(site("n1", nodes, ...asked)).toMatchObject({ actions: [], state: { office: { queue: [] } } })
    expect(site("n2", nodes, acquire, release, granted("n1", 0, 1, 1)).actions).toEqual([
      send("n1", { _tag: "Release", number: 1 })
    ])
  })

  it("messages may come twice, and overtake", () => {
    // A release before its request, and a later request before the release of the one before.
    const late = site("n1", nodes, releases("n2", 1), requests("n2", 1))
    expect(late).toMatchObject({ state: { office: { holder: undefined, queue: [] } } })
    expect(site("n2", nodes, acquire, release, acquire, knows("n1", 1, 1)).actions).toEqual([])
    expect(site("n1", nodes, requests("n2", 1), requests("n2", 2)).actions).toEqual([grants("n2", 0, 2, 2)])
    const twice = [requests("n2", 1), requests("n3", 1), requests("n2", 1), requests("n3", 1)]
    expect(site("n1", nodes, ...twice).state.office).toMatchObject({
      holder: { node: "n2", number: 1 },
      queue: [{ node: "n3", number: 1 }]
    })
    expect(site("n2", nodes, acquire, granted("n1", 0, 1, 1), granted("n1", 0, 1, 1)).actions).toEqual([])
  })

  it("a node that counts anew is told from where to go on, and its earlier requests are over", () => {
    for (const before of [[requests("n2", 7)], [acquire, requests("n2", 7)], [requests("n2", 7), releases("n2", 7)]]) {
      expect(site("n1", nodes, ...before, requests("n2", 1)).actions).toEqual([
        send("n2", { _tag: "Known", asked: 1, number: 7 })
      ])
    }
    expect(site("n2", nodes, acquire, knows("n1", 1, 7)).actions).toEqual([send("n1", { _tag: "Request", number: 8 })])
    expect(site("n1", nodes, requests("n2", 7), requests("n2", 8)).actions).toEqual([grants("n2", 0, 8, 2)])
  })

  it("a node that is no coordinator hears no requests", () => {
    expect(site("n2", nodes, requests("n3", 1))).toEqual({ state: site("n2", nodes).state, actions: [] })
  })

  it("a command that makes no sense now changes nothing", () => {
    expect(site("n2", nodes, release)).toEqual({ state: site("n2", nodes).state, actions: [] })
    expect(site("n2", nodes, acquire, acquire)).toEqual({ state: site("n2", nodes, acquire).state, actions: [] })
  })

  it("the lock of a suspect is taken back; a waiter is passed over while it is suspected", () => {
    const asked = [requests("n2", 1), requests("n3", 1)]
    expect(site("n1", nodes, ...asked, suspect("n2")).actions).toEqual([grants("n3", 0, 1, 2)])
    expect(site("n1", nodes, ...asked, suspect("n3"), releases("n2", 1)).actions).toEqual([])
    expect(site("n1", nodes, ...asked, suspect("n3"), releases("n2", 1), trust("n3")).actions).toEqual([
      send("n3", { _tag: "Inquire", epoch: 0 }),
      grants("n3", 0, 1, 2)
    ])
  })
})

describe("a new coordinator", () => {
  it("inquires of all, and grants nothing before all have answered", () => {
    expect(electedSite("n2", nodes, elected("n2", 4)).actions).toEqual([
      send("n1", { _tag: "Inquire", epoch: 4 }),
      send("n3", { _tag: "Inquire", epoch: 4 })
    ])
    const asked = [acquire, elected("n2", 4), reports("n1", 4, 0, "idle")]
    expect(electedSite("n2", nodes, ...asked).actions).toEqual([])
    expect(electedSite("n2", nodes, ...asked, reports("n3", 4, 0, "idle")).actions).toEqual([enters(token(4, 1))])
    expect(electedSite("n2", nodes, ...asked, suspect("n3")).actions).toEqual([enters(token(4, 1))])
  })

  it("takes over who is inside and who waits", () => {
    const took = [elected("n2", 4), reports("n1", 4, 3, "inside"), reports("n3", 4, 5, "waiting")]
    expect(electedSite("n2", nodes, ...took)).toMatchObject({
      actions: [],
      state: { office: { holder: { node: "n1", number: 3 }, queue: [{ node: "n3", number: 5 }] } }
    })
    expect(electedSite("n2", nodes, ...took, releases("n1", 3)).actions).toEqual([grants("n3", 4, 5, 1)])
    // Its release may overtake its report.
    const overtaken = [elected("n2", 4), releases("n1", 3), reports("n1", 4, 3, "inside")]
    expect(electedSite("n2", nodes, ...overtaken).state.office!.holder).toBeUndefined()
  })

  it("of two that say that they are inside, one is dead, and the other comes before all who wait", () => {
    const both = [acquire, elected("n2", 4), reports("n3", 4, 1, "inside"), reports("n1", 4, 1, "inside")]
    expect(electedSite("n2", nodes, ...both, suspect("n3"))).toMatchObject({
      actions: [grants("n1", 4, 1, 1)],
      state: { phase: "waiting", office: { holder: { node: "n1" } } }
    })
    expect(electedSite("n2", nodes, ...both, suspect("n3"), releases("n1", 1)).actions).toEqual([enters(token(4, 2))])
    // A report of the dead that is late gives it no lock.
    const late = [acquire, elected("n2", 4), suspect("n3"), reports("n3", 4, 1, "inside"), reports("n1", 4, 0, "idle")]
    expect(electedSite("n2", nodes, ...late).actions).toEqual([enters(token(4, 1))])
  })

  it("who has answered takes no grant of an earlier epoch", () => {
    const asked = [acquire, inquires("n3", 4)]
    expect(site("n2", nodes, ...asked).actions).toEqual([
      send("n3", { _tag: "Report", epoch: 4, number: 1, phase: "waiting" })
    ])
    expect(site("n2", nodes, ...asked, granted("n1", 0, 1, 1))).toMatchObject({
      actions: [],
      state: { phase: "waiting" }
    })
    expect(site("n2", nodes, ...asked, granted("n3", 4, 1, 9)).actions).toEqual([enters(9)])
  })

  it("an epoch that is not higher is past, and its coordinator not heard", () => {
    const { state } = site("n2", nodes, inquires("n3", 4))
    expect(site("n2", nodes, inquires("n3", 4), inquires("n1", 3), elected("n2", 4))).toEqual({ state, actions: [] })
    expect(site("n2", nodes, elected("n2", 4), reports("n1", 3, 0, "idle")).state.office!.awaiting).toEqual([
      "n1",
      "n3"
    ])
  })

  it("who hears of an election reports, inquired or not: the Inquire may be lost on a node that was down", () => {
    expect(electedSite("n3", nodes, acquire, elected("n2", 4)).actions).toEqual([
      send("n2", { _tag: "Report", epoch: 4, number: 1, phase: "waiting" })
    ])
  })

  it("a coordinator that hears of another grants no more", () => {
    expect(site("n1", nodes, elected("n2", 4), requests("n2", 1)).actions).toEqual([])
    expect(site("n1", nodes, inquires("n2", 4), requests("n2", 1)).actions).toEqual([])
  })
})

describe("options", () => {
  const build = (options: {
    readonly coordinator: string
    readonly leader?: Effect.Effect<Stream.Stream<Option.Option<Coordinator.Leader>>>
  }) =>
    Effect.runPromise(
      Effect.flip(
        Effect.scoped(
          Layer.build(
            Coordinator.layer({ resource: "r", ...options }).pipe(
              Layer.provide(Memory.layer(Memory.network({ nodes }), "n1"))
            )
          )
        )
      )
    )

  it("a coordinator that is no node is refused, by name", async () => {
    const failure = await build({ coordinator: "n7" })
    expect(failure).toBeInstanceOf(InvalidOptions)
    expect((failure as InvalidOptions).message).toContain('"n7" is no node of the group, which is n1, n2, n3')
  })

  it("a coordinator is named or elected, not both", async () => {
    const failure = await build({ coordinator: "n1", leader: Effect.succeed(Stream.empty) })
    expect((failure as InvalidOptions).message).toContain("Leave out")
  })
})
