import { LamportTimestamp } from "@troupe/clocks"
import { Effect, Random } from "effect"
import { describe, expect, it } from "vitest"
import type * as Bank from "../src/bank/Bank.ts"
import * as Ledger from "../src/bank/Ledger.ts"
import { accidentOf, all, type Crew, usual } from "../src/bank/Crew.ts"
import { audit, costs } from "../src/bank/Report.ts"
import * as Simulated from "../src/bank/staff/simulated.ts"
import * as Transfer from "../src/bank/Transfer.ts"

const transfer = (id: string, from: string, to: string, amount: number): Transfer.Transfer => ({ id, from, to, amount })

const write = (token: number, what: Transfer.Transfer) => ({
  token,
  node: "n1",
  transfer: what,
  sent: LamportTimestamp.zero("n1"),
  taken: { time: 1, node: "bank" }
})

describe("the ledger", () => {
  const first = transfer("a", "alice", "bob", 30)

  it("applies a write under a higher token", () => {
    const ledger = Ledger.make([first], 100)
    expect(Ledger.apply(ledger, write(1, first))).toBe("applied")
    expect(ledger.balances).toEqual(
      new Map([
        ["alice", 70],
        ["bob", 130]
      ])
    )
  })

  it("refuses a token lower than one that it has seen, and moves nothing", () => {
    const ledger = Ledger.make([first], 100)
    Ledger.apply(ledger, write(5, first))
    expect(Ledger.apply(ledger, write(4, transfer("b", "bob", "alice", 1)))).toBe("refused")
    expect(ledger.refused).toEqual([{ token: 4, highest: 5, node: "n1" }])
    expect(ledger.balances.get("bob")).toBe(130)
  })

  it("refuses a second transfer under the same token", () => {
    const ledger = Ledger.make([first], 100)
    Ledger.apply(ledger, write(5, first))
    expect(Ledger.apply(ledger, write(5, transfer("b", "bob", "alice", 1)))).toBe("refused")
  })

  it("answers a message that is sent again as it did before", () => {
    const ledger = Ledger.make([first], 100)
    Ledger.apply(ledger, write(5, first))
    expect(Ledger.apply(ledger, write(5, first))).toBe("applied")
    expect(ledger.entries).toHaveLength(1)
  })

  it("moves the money of a transfer that is submitted again once", () => {
    const ledger = Ledger.make([first], 100)
    Ledger.apply(ledger, write(5, first))
    expect(Ledger.apply(ledger, write(6, first))).toBe("repeated")
    expect(Ledger.total(ledger)).toBe(200)
    expect(ledger.balances.get("alice")).toBe(70)
  })

  it("declines what an account cannot pay", () => {
    const ledger = Ledger.make([first], 10)
    expect(Ledger.apply(ledger, write(1, first))).toBe("declined")
    expect(ledger.balances.get("alice")).toBe(10)
  })
})

describe("a file of transfers", () => {
  const refusal = (text: string): string =>
    Effect.runSync(Effect.flip(Transfer.parse("transfers.ndjson", text))).message

  it("is one JSON object a line; blank lines don't count", () => {
    const text = `{"from":"a","to":"b","amount":1}\n\n{"id":"x","from":"b","to":"a","amount":2}\n`
    expect(Effect.runSync(Transfer.parse("f", text))).toEqual([
      { id: "line-1", from: "a", to: "b", amount: 1 },
      { id: "x", from: "b", to: "a", amount: 2 }
    ])
  })

  it.each([
    ["no JSON", "nonsense", /^transfers\.ndjson:1: not a transfer like /],
    ["a missing field", `{"from":"a","to":"b","amount":1}\n{"from":"a","amount":1}`, /^transfers\.ndjson:2: .*to/],
    ["an amount below 1", `{"from":"a","to":"b","amount":0}`, /:1: /],
    ["a fraction", `{"from":"a","to":"b","amount":1.5}`, /:1: /],
    ["one account at both ends", `{"from":"a","to":"a","amount":1}`, /:1: "a" is both ends/],
    [
      "an id that was used",
      `{"id":"x","from":"a","to":"b","amount":1}\n{"id":"x","from":"a","to":"b","amount":1}`,
      /:2: the id "x" is that of line 1/
    ],
    ["nothing", "\n", /holds no transfer/]
  ])("with %s is refused, and the line named", (_what, text, message) => {
    expect(refusal(text)).toMatch(message)
  })
})

describe("the bank", () => {
  const tellers = ["n1", "n2", "n3", "n4", "n5"]

  const simulate = (seed: number, count = 200, crew = usual) =>
    Effect.runPromise(
      Effect.gen(function* () {
        const said: Array<string> = []
        const transfers = yield* Random.withSeed(Transfer.generate(count), seed)
        const run = yield* Simulated.run(tellers, seed, {
          transfers,
          openingCents: 100_000,
          paceMillis: 7_000,
          accidentAtMillis: 3_000,
          returnAtMillis: 6_000,
          crew,
          say: (line) => Effect.sync(() => void said.push(line))
        })
        return { run, said, failed: audit(run, count).filter(({ holds }) => !holds) }
      })
    )

  it("passes its audit over many seeds, with its leader killed and back", async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const { failed, run } = await simulate(seed)
      expect({ seed, failed }).toEqual({ seed, failed: [] })
      expect(run.accident).toMatchObject({ kind: "crash", teller: "n5" })
      expect(run.leaders.map(({ id }) => id)).toEqual(["n5", "n4", "n5"])
    }
  })

  const crews: ReadonlyArray<Crew> = all("mutex").flatMap((mutex) => [
    { mutex, election: "election/bully" },
    { mutex, election: "election/lease" },
    { mutex, election: "election/invitation" }
  ])
  const others: ReadonlyArray<Crew> = all("election").map((election) => ({ mutex: "mutex/token-ring", election }))

  it.each([...crews, ...others])("passes its audit with $mutex and $election", async (crew) => {
    const { failed, run } = await simulate(1, 100, crew)
    expect(failed).toEqual([])
    const { atMillis, kind, returnedAtMillis, teller } = run.accident
    expect(kind).toBe(accidentOf(crew))
    expect(returnedAtMillis === undefined).toBe(kind === "death")
    expect(run.leaders.find((leader) => leader.atMillis > atMillis)?.id).not.toBe(teller)
    expect(costs(run, crew)).toMatch(/^[A-Z].* The pause: new leader \d\.\d s after the (kill|resignation)/)
  })

  it("counts one stay of a teller whose last word comes after its death", async () => {
    const crew = { ...usual, election: "election/dolev-klawe-rodeh" }
    const { failed, run } = await simulate(1, 500, crew)
    expect(failed).toEqual([])
    expect(new Set(run.stays.map(({ token }) => token)).size).toBe(run.stays.length)
  })

  it("runs the same for the same seed", async () => {
    expect((await simulate(7)).said).toEqual((await simulate(7)).said)
    expect((await simulate(7)).said).not.toEqual((await simulate(8)).said)
  })

  it("has an audit that finds each kind of wrong", async () => {
    const { run } = await simulate(1, 50)
    const names = (changed: Partial<Bank.Run>) =>
      audit({ ...run, ...changed }, 50)
        .filter(({ holds }) => !holds)
        .map(({ name }) => name)
    const [first, second] = run.ledger.entries
    const ledger = (changed: Partial<Ledger.Ledger>) => ({ ledger: { ...run.ledger, ...changed } })
    expect(names({})).toEqual([])
    expect(names({ openingTotal: run.openingTotal + 1 })).toEqual(["money is conserved"])
    expect(names(ledger({ outcomes: new Map() }))).toEqual(["every transfer is carried out once"])
    expect(names(ledger({ refused: [] }))).toEqual(["stale tokens are refused"])
    expect(names(ledger({ entries: [second!, first!, ...run.ledger.entries.slice(2)] }))).toEqual([
      "tokens strictly increase"
    ])
    expect(names({ stays: [...run.stays, { token: -1, fromNanos: 0, toNanos: Infinity }] })).toEqual([
      "no two in the section"
    ])
    expect(names(ledger({ entries: [{ ...first!, sent: second!.taken }, ...run.ledger.entries.slice(1)] }))).toEqual([
      "effects are later than causes"
    ])
    expect(names({ leaders: run.leaders.slice(0, 1) })).toEqual(["leadership passes on"])
  })
})
