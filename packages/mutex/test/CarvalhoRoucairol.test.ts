import { Protocol } from "@troupe/actor"
import { CarvalhoRoucairol } from "@troupe/mutex"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { atOnce, broken, exhaust, inTurns, type Locking, messages, nothing, reproduce, search } from "./locks.ts"
import { type Lock, nodesOf } from "./system.ts"

const { card, layer, protocol } = CarvalhoRoucairol
const subject: Locking<CarvalhoRoucairol.State, void> = { protocol, options: undefined, card, layer }

type Input = Protocol.Input<CarvalhoRoucairol.Message, CarvalhoRoucairol.Command, never>
type Step = { readonly state: CarvalhoRoucairol.State; readonly actions: ReadonlyArray<Protocol.Action> }

const acquire: Input = { _tag: "Command", command: { _tag: "Acquire" } }
const release: Input = { _tag: "Command", command: { _tag: "Release" } }
const request = (from: string, request: number): Input => ({
  _tag: "Message",
  from,
  message: { _tag: "Request", request }
})
const reply = (from: string, request: number, time = request): Input => ({
  _tag: "Message",
  from,
  message: { _tag: "Reply", request, time }
})
const requests = (to: string, request: number) => ({ _tag: "Send", to, message: { _tag: "Request", request } })
const replies = (to: string, request: number, time: number) => ({
  _tag: "Send",
  to,
  message: { _tag: "Reply", request, time }
})
const enters = (token: number) => ({ _tag: "Emit", event: { _tag: "Acquired", token } })

/** n2 of three, after these inputs. */
const n2 = (...inputs: ReadonlyArray<Input>): Step => {
  const self = Protocol.self("n2", nodesOf(3), undefined)
  return inputs.reduce<Step>(({ state }, input) => Protocol.step(protocol, self, state, input), {
    state: protocol.init(self),
    actions: []
  })
}
const entered = [acquire, reply("n1", 1), reply("n3", 1)]

describe("permissions stay (Carvalho & Roucairol 1983)", () => {
  it("a node asks all, at first, and enters with the last reply", () => {
    expect(n2(acquire).actions).toEqual([requests("n1", 1), requests("n3", 1)])
    expect(n2(acquire, reply("n1", 1)).actions).toEqual([])
    expect(n2(...entered).actions).toEqual([enters(2)])
  })

  it("who enters again before others ask sends nothing", () => {
    expect(n2(...entered, release, acquire).actions).toEqual([enters(4)])
  })

  it("who has given its permission since asks for the other's again, and for no more", () => {
    expect(n2(...entered, release, request("n3", 5)).actions).toEqual([replies("n3", 5, 5)])
    expect(n2(...entered, release, request("n3", 5), acquire).actions).toEqual([requests("n3", 6)])
  })

  it("who is inside defers, and has lost the permission when it has left", () => {
    expect(n2(...entered, request("n1", 1)).actions).toEqual([])
    expect(n2(...entered, request("n1", 1), release)).toMatchObject({
      actions: [replies("n1", 1, 2)],
      state: { permitted: ["n3"], deferred: [] }
    })
  })

  it("who waits defers later claims", () => {
    expect(n2(acquire, request("n3", 1)).actions).toEqual([])
  })

  it("who waits gives way to an earlier claim, and asks anew for a permission that it had", () => {
    const waits = [...entered, release, request("n3", 5), acquire]
    expect(n2(...waits, request("n1", 3)).actions).toEqual([replies("n1", 3, 6), requests("n1", 6)])
    // It asked n3 with this very claim: no need to ask again.
    expect(n2(...waits, request("n3", 5)).actions).toEqual([replies("n3", 5, 6)])
  })

  it("a reply to a request that was withdrawn gives no permission", () => {
    expect(n2(acquire, release, reply("n1", 1)).state.permitted).toEqual([])
    expect(n2(acquire, release, acquire, reply("n1", 1)).state.permitted).toEqual([])
  })

  it("the token is later than all that its permissions were given after", () => {
    expect(n2(acquire, reply("n1", 1, 9), reply("n3", 1, 4)).actions).toEqual([enters(10)])
  })

  it("tokens end at 2^53, and a token beyond is refused", () => {
    expect(() => n2(acquire, reply("n1", 1), reply("n3", 1, 2 ** 53 - 1))).toThrow("fencing tokens are used up")
  })
})

describe("every interleaving: exclusion, growing tokens, no deadlock, nobody starves", () => {
  it.each([
    { nodes: 1, entries: 3 },
    { nodes: 2, entries: 3 },
    { nodes: 2, entries: 2, withdrawals: 1 },
    { nodes: 3, entries: 1, withdrawals: 1 },
    { nodes: 3, entries: 2, network: { order: "fifo" } }
  ] as const)("%o", async (bounds) => {
    expect(broken(await exhaust(subject, bounds))).toEqual(nothing)
  })

  it("with one crash exclusion holds, and whoever lacks the dead one's permission starves", async () => {
    const report = await exhaust(subject, { nodes: 3, entries: 1, crashes: { max: 1 }, stopAtViolation: false })
    expect(broken(report)).toEqual({ complete: true, broken: ["no starvation", "deadlock freedom"] })
  })

  const mutants: ReadonlyArray<[string, string, Partial<typeof protocol>]> = [
    [
      "keeps the permission of whom it replies to",
      "mutual exclusion",
      {
        onMessage: (state, from, message, act) => {
          const next = protocol.onMessage(state, from, message, act)
          return message._tag === "Request" ? { ...next, permitted: state.permitted } : next
        }
      }
    ],
    [
      "takes replies to earlier requests",
      "mutual exclusion",
      {
        onMessage: (state, from, message, act) =>
          protocol.onMessage(
            state,
            from,
            message._tag === "Reply" ? { ...message, request: state.claim.time } : message,
            act
          )
      }
    ]
  ]
  it.each(mutants)("a protocol that %s breaks: %s", async (_rule, only, change) => {
    const mutant = { ...subject, protocol: { ...protocol, ...change } }
    const report = await exhaust(mutant, { nodes: 2, entries: 3, withdrawals: 2, only })
    expect(broken(report).broken).toEqual([only])
  })
})

describe("inside its assumptions every guarantee of the card holds", () => {
  it.each([
    [1, 30],
    [2, 100],
    [3, 200],
    [5, 100],
    [10, 20]
  ])("%i nodes, %i seeds", async (nodes, seeds) => {
    expect((await search(subject, { nodes, seeds })).failures).toEqual([])
  })
})

describe("each weakness of the card is reproduced", () => {
  const inMemory = "a node that forgets"

  it.each(card.weaknesses.filter(({ name }) => name !== inMemory))("$name", async (weakness) => {
    expect(await reproduce(subject, weakness, { nodes: 3, seeds: 20 })).toEqual([weakness.breaks])
  })

  it(`${inMemory}, by the model checker: it takes a reply that outlives the crash`, async () => {
    const only = card.weaknesses.find(({ name }) => name === inMemory)!.breaks!
    const report = await exhaust(subject, { nodes: 2, entries: 2, crashes: { max: 1, restart: true }, only })
    expect(broken(report).broken).toEqual([only])
  })
})

describe("it costs 0 to 2(N−1) messages an entry (Carvalho & Roucairol 1983)", () => {
  const counts = [...Array.from({ length: 24 }, (_, i) => i + 2), 49]

  it("2(N−1), for N = 2…25 and 49, where all others have been inside since", async () => {
    for (const count of counts) {
      expect(await messages(subject, count, inTurns(count))).toBe(count * card.cost.worst.of(count))
    }
  })

  it("0, where nobody has: the first entry is all that costs", async () => {
    const often = (mutex: Lock, node: string): Effect.Effect<void> => (node === "n1" ? atOnce(10)(mutex) : Effect.void)
    for (const count of counts) expect(await messages(subject, count, often)).toBe(card.cost.worst.of(count))
    expect(card.cost.best.of(49)).toBe(0)
  })

  it("2 for each that has: of two that take turns among N, each asks the other alone", async () => {
    const two = (mutex: Lock, node: string): Effect.Effect<void> =>
      node === "n1" || node === "n2" ? inTurns(2, 5)(mutex, node) : Effect.void
    for (const count of [2, 5, 10]) {
      expect(await messages(subject, count, two)).toBe(2 * card.cost.worst.of(count) + 8 * 2)
    }
  })

  it.each([3, 5, 10, 25])("%i nodes that all ask at once: at the most 2(N−1)", async (count) => {
    expect((await messages(subject, count, atOnce(4))) / (4 * count)).toBeLessThanOrEqual(card.cost.worst.of(count))
  })
})
