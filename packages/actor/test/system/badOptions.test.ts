/** Options that are none. */
import { describe, expect, it } from "@effect/vitest"
import { ActorSystem, Behavior, Router, Server, Supervision } from "@troupe/actor"
import { Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Account, settled } from "./accounts.ts"
import { bad, type Bad, events, failingAt, harmless, hello } from "./troubles.ts"

describe("options that are none are refused where they are given", () => {
  const capacity = (value: number) => () => bad({ mailbox: { capacity: value } })
  const handlerTimeout = (value: number) => () =>
    Behavior.effect(Account, { handlerTimeout: value, init: () => Effect.succeed(0), on: {} as never })
  const rows: ReadonlyArray<readonly [string, () => unknown]> = [
    ...[0, -1, 1.5, Number.NaN, 2 ** 25].map((value) => ["mailbox.capacity", capacity(value)] as const),
    ...[0, -1, Number.NaN].map((value) => ["handlerTimeout", handlerTimeout(value)] as const),
    ...[-1, 0.5, Number.NaN].map((limit) => ["limit", () => Supervision.restart({ limit })] as const),
    ["within", () => Supervision.restart({ within: 0 })],
    ["inFlight", () => Server.eventLoop({ inFlight: 0 })],
    ["threads", () => Server.multiThreaded({ threads: 0, spawn: () => ({ terminate: () => {} }) })],
    ["refs.length", () => Router.make(Account, [], Router.roundRobin)],
    ...["", "x".repeat(201)].map((log) => ["log", () => events({ log })] as const),
    ["version", () => events({ version: 0 })],
    ["snapshot.above", () => events({ snapshot: { state: Schema.Int, above: -1 } })]
  ]
  it.each(rows)("%s", (option, give) => {
    expect(give).toThrow(expect.objectContaining({ _tag: "InvalidOption", option }))
  })

  it("and a message says which, of what, and what it may be", () => {
    expect(capacity(0)).toThrow("bad: `mailbox.capacity` is 0. Give it a whole number from 1 to 16,777,216")
  })

  const inHandlers: ReadonlyArray<readonly [string, (self: Behavior.Self<Bad>) => void]> = [
    ["the delay of a timer", (self) => self.setTimer("t", Number.NaN, { _tag: "Loop" })],
    ["a delay below none", (self) => self.setTimer("t", -1, { _tag: "Loop" })],
    ["an interval of none", (self) => self.setInterval("t", 0, { _tag: "Loop" })],
    ["a receive timeout of none", (self) => self.setReceiveTimeout(0, { _tag: "Loop" })]
  ]
  it.effect.each(inHandlers)("in a handler, which fails: %s", ([, what]) =>
    harmless(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(bad(), { supervision: Supervision.stop })
        expect(yield* failingAt(ref, what)).toMatchObject({ _tag: "InvalidOption" })
      })
    )
  )

  it.effect("a timer may be as far off as one likes", () =>
    harmless(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(bad(), { supervision: Supervision.stop })
        const far = (self: Behavior.Self<Bad>) => {
          for (const [i, delay] of [Infinity, 1e15, 2 ** 31].entries()) self.setTimer(`${i}`, delay, { _tag: "Loop" })
        }
        ref.tell({ _tag: "Do", what: far })
        yield* settled
        yield* TestClock.adjust("1 day")
        expect(yield* hello(ref)).toBe("hello")
        expect((yield* ActorSystem.ActorSystem).counters().failures).toBe(0)
      })
    )
  )
})
