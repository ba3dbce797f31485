import { Checker, Property, System } from "@troupe/model-checker"
import { Swim } from "@troupe/failure-detection"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import * as Members from "../src/internal/swim/members.ts"

const { protocol } = Swim

const rank = { up: 0, suspected: 1, down: 2, left: 3 }

/** Throws when what a node holds of another goes back: to a lower incarnation, or to better news of the same one. */
const watched = (machine: typeof protocol): typeof protocol => {
  const forward = (before: Swim.State, after: Swim.State): Swim.State => {
    if (after.incarnation < before.incarnation) throw new Error("its own incarnation fell")
    for (const node of before.members.roster) {
      const [held, holds] = [Members.find(before.members, node)!, Members.find(after.members, node)!]
      const isBack =
        holds.incarnation < held.incarnation ||
        (holds.incarnation === held.incarnation &&
          rank[holds.status as keyof typeof rank] < rank[held.status as keyof typeof rank])
      if (isBack) throw new Error(`${node} went from ${held.status} ${held.incarnation} back to ${holds.status}`)
    }
    return after
  }
  return {
    ...machine,
    onMessage: (state, from, message, act) => forward(state, machine.onMessage(state, from, message, act)),
    onTimeout: (state, timer, act) => forward(state, machine.onTimeout!(state, timer, act))
  }
}

const options: Swim.Options = {
  ...Swim.defaults,
  ...{ indirectProbes: 1, gossipNodes: 1, retransmitMultiplier: 1, suspicionMultiplier: 2 }
}

const nodes = ["n1", "n2", "n3"]

/** Nobody but the member itself raises its incarnation. */
const truthful = Property.always<System.View<Swim.State>>("no incarnation is made up", ({ nodes: all }) =>
  all.every(({ state }) =>
    all.every((other) => (Members.differing(state.members, other.node)?.incarnation ?? 0) <= other.state.incarnation)
  )
)

interface Exhausted {
  readonly nodes: number
  readonly maxDepth: number
  readonly restart: boolean
  readonly machine?: typeof protocol
}

const exhaust = ({ machine = protocol, maxDepth, nodes: count, restart }: Exhausted) =>
  Checker.check(
    System.make({
      name: "swim",
      members: System.members(watched(machine), nodes.slice(0, count), options),
      crashes: { max: 1, restart },
      network: { loss: true, duplication: true },
      timeouts: "any",
      // A node that has forgotten its life may meet what others remember of it.
      properties: restart ? [] : [truthful]
    }),
    { maxDepth }
  )

describe("every interleaving, with loss, doubled messages, a crash, and timeouts at any time (SWIM §4.2)", () => {
  it.each([
    { nodes: 2, maxDepth: 7, restart: false },
    { nodes: 2, maxDepth: 7, restart: true },
    { nodes: 3, maxDepth: 5, restart: false },
    { nodes: 3, maxDepth: 5, restart: true }
  ])("what is held of a member never goes back: %o", async (given) => {
    const report = await Effect.runPromise(exhaust(given))
    expect(report.ended).toBe("depth")
    expect(report.uniqueStates).toBeGreaterThan(10_000)
    expect(report.properties.map(({ verdict }) => verdict)).toEqual(given.restart ? [] : ["unknown"])
  })

  const mutant = (onMessage: typeof protocol.onMessage) =>
    Effect.runPromise(exhaust({ nodes: 2, maxDepth: 9, restart: false, machine: { ...protocol, onMessage } }))

  it("a node that forgets what it held, when it is pinged, is found out", async () => {
    const found = mutant((state, from, message, act) => {
      const next = protocol.onMessage(state, from, message, act)
      return message._tag === "Ping" ? { ...next, members: Members.make(nodes.slice(0, 2)) } : next
    })
    await expect(found).rejects.toThrow("back to up")
  })

  it("a node that claims an incarnation of another is found out", async () => {
    const report = await mutant((state, from, _message, act) => {
      const rumour = { _tag: "Alive", node: from, incarnation: 1 } as const
      return { ...state, members: Members.put(state.members, from, Members.told(rumour, act.monotonic())) }
    })
    expect(report.properties).toMatchObject([{ name: "no incarnation is made up", verdict: "violated" }])
  })
})
