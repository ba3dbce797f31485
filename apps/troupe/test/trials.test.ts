/** A store on trial: what passes, what does not, and that the same seed gives the same. */
import { readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import type { Book } from "../src/kv/trial/Book.ts"
import * as Clients from "../src/kv/trial/Clients.ts"
import { draw } from "../src/kv/trial/Script.ts"
import * as Simulated from "../src/kv/trial/Simulated.ts"
import * as Verdict from "../src/kv/trial/Verdict.ts"
import { troupe } from "./command.ts"

const work: Clients.Work = { ...Clients.usual, pauseMillis: 300 }

const simulate = (given: Partial<Simulated.Options>) =>
  Effect.runPromise(
    Simulated.run({
      nodes: 3,
      replication: "passive",
      seed: 1,
      faults: "chaos",
      durationMillis: 6_000,
      clients: 2,
      work,
      ...given
    })
  )

const failed = ({ failures, judged }: Simulated.Outcome): ReadonlyArray<string> => [
  ...failures,
  ...judged.checks.flatMap(({ detail, holds, name }) => (holds ? [] : [`${name}: ${detail}`]))
]

describe("a simulated trial", () => {
  it.each(["passive", "local-write"] as const)("of %s replication under chaos holds", async (replication) => {
    for (const seed of replication === "passive" ? [1, 2] : [1]) {
      const outcome = await simulate({ replication, seed })
      expect({ seed, failed: failed(outcome) }).toEqual({ seed, failed: [] })
      expect(outcome.book.applied.length).toBeGreaterThan(10)
      expect(outcome.judged.history.operations.length).toBeGreaterThan(50)
    }
  })

  it("of quorums under chaos holds, of registers alone", async () => {
    const outcome = await simulate({ replication: "quorum", work: { ...work, accounts: 0 } })
    expect(failed(outcome)).toEqual([])
    expect(outcome.judged.checks.map(({ name }) => name)).toEqual(["linearizable", "answers are honest"])
  })

  it("of naive replication shows what it is: stale reads, and money that comes and goes", async () => {
    const { judged } = await simulate({
      replication: "naive",
      faults: "none",
      work: { ...work, registers: 2, accounts: 3, pauseMillis: 30 }
    })
    const broken = judged.checks.filter(({ holds }) => !holds).map(({ name }) => name)
    expect(broken).toEqual(expect.arrayContaining(["linearizable", "money is conserved"]))
  })

  it("runs the same for the same seed, and another way for another", async () => {
    const short = (seed: number) => simulate({ seed, durationMillis: 3_000 })
    const [first, again, other] = [await short(7), await short(7), await short(8)]
    expect(again).toEqual(first)
    expect(other.book.events).not.toEqual(first.book.events)
  })
})

describe("the judgement", () => {
  let trial: Promise<Simulated.Outcome> | undefined

  const names = async (
    changed: (book: Book) => Partial<Book>,
    remains: (found: Verdict.Remains) => Verdict.Remains | undefined = (found) => found
  ) => {
    const { book } = await (trial ??= simulate({ faults: "none", durationMillis: 3_000 }))
    const opening = new Array<number>(work.accounts).fill(work.openingCents)
    for (const { amount, from, to } of book.applied) {
      opening[from]! -= amount
      opening[to]! += amount
    }
    const found = { balances: opening, receipts: new Map(book.applied.map(({ id }) => [id, true])) }
    return Verdict.judge({ ...book, ...changed(book) }, work, remains(found))
      .checks.filter(({ holds }) => !holds)
      .map(({ name }) => name)
  }

  it("finds nothing where nothing is wrong", async () => expect(await names(() => ({}))).toEqual([]))

  it("finds each kind of wrong", async () => {
    const stale = (book: Book) => {
      const key = "register:new"
      const event = (type: "invoke" | "ok", f: string, value: string | null) => ({ process: "x", type, f, key, value })
      const events = [
        event("invoke", "write", "1"),
        event("ok", "write", null),
        event("invoke", "read", null),
        event("ok", "read", null)
      ]
      return { events: [...book.events, ...events] }
    }
    expect(await names(stale)).toEqual(["linearizable"])
    expect(await names(({ totals }) => ({ totals: [...totals, 1] }))).toEqual(["money is conserved"])
    expect(await names(() => ({ problems: ["ERR what"] }))).toEqual(["answers are honest"])
    expect(
      await names(
        () => ({}),
        () => undefined
      )
    ).toEqual(["the accounts can be read in the end"])
    const lost = await names(({ applied }) => ({ applied: [...applied, { id: "lost", from: 0, to: 1, amount: 5 }] }))
    expect(lost).toEqual(["no acknowledged transfer is lost", "each is applied once"])
    const twice = (found: Verdict.Remains) => ({
      ...found,
      balances: found.balances.map((cents, i) => cents + [-1, 1, 0][Math.min(i, 2)]!)
    })
    expect(await names(() => ({}), twice)).toEqual(["each is applied once"])
  })

  it("counts a transfer in doubt if its receipt is there, and not if it isn't", async () => {
    const transfer = { id: "late", from: 0, to: 1, amount: 5 }
    const doubt = () => ({ inDoubt: new Map([[transfer.id, transfer]]) })
    expect(await names(doubt)).toEqual([])
    const there = ({ balances, receipts }: Verdict.Remains) => ({
      balances,
      receipts: new Map([...receipts, ["late", true]])
    })
    expect(await names(doubt, there)).toEqual(["each is applied once"])
    const moved = (found: Verdict.Remains) => ({
      ...there(found),
      balances: found.balances.map((cents, i) => cents + [-5, 5, 0][Math.min(i, 2)]!)
    })
    expect(await names(doubt, moved)).toEqual([])
  })
})

describe("the script of a demonstration", () => {
  it("leaves the last quarter calm, and its scenes to end before the next, for any seed and length", () => {
    for (let seed = 0; seed < 200; seed++) {
      const millis = 2_000 + seed * 500
      const scenes = draw(seed, millis)
      expect(new Set(scenes.map(({ act }) => (act._tag === "Kill" ? act.who : "cut"))).size).toBe(3)
      scenes.forEach(({ act, atMillis }, index) =>
        expect(atMillis + act.forMillis).toBeLessThanOrEqual(scenes[index + 1]?.atMillis ?? millis * 0.75)
      )
    }
    expect(draw(3, 15_000)).toEqual(draw(3, 15_000))
    expect(draw(3, 15_000)).not.toEqual(draw(4, 15_000))
  })
})

describe("troupe kv --demo", () => {
  it("kills, cuts, and ends with a verdict and the history that it stands on", { timeout: 30_000 }, async () => {
    const history = join(tmpdir(), `troupe-demo-${process.pid}.ndjson`)
    const { code, stderr, stdout } = await troupe(
      "kv",
      "--demo",
      "--seconds",
      "4",
      "--nodes",
      "3",
      "--history",
      history
    )
    expect(stderr).toBe("")
    for (const part of ["is killed, the primary", "is back", "the network is cut", "the network is whole again"]) {
      expect(stdout).toContain(part)
    }
    expect(stdout).toMatch(/✓ linearizable: [\d,]+ reads and writes/)
    expect(stdout).toContain("It holds.")
    expect(code).toBe(0)
    expect(readFileSync(history, "utf8").split("\n").length).toBeGreaterThan(20)
    rmSync(history)
  })
})
