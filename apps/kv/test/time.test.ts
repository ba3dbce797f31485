/** What clients may not take their time with, on a clock that the test moves. */
import type { Replicated } from "@troupe/replication"
import { Context, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import type { Request, Response } from "../src/KeyspaceMachine.ts"
import { make } from "../src/server/Counters.ts"
import { Lines } from "../src/server/Lines.ts"
import { performed } from "../src/server/perform.ts"
import type { Server } from "../src/server/Server.ts"
import { defaults, type Settings } from "../src/server/Settings.ts"
import { Store } from "../src/Store.ts"
import { command, serve, single, talk } from "./harness.ts"

/** With a server whose time goes on by `pass` alone. */
const withTime = (
  settings: Partial<Settings>,
  use: (server: Server, pass: (millis: number) => Promise<void>) => Promise<void>
): Promise<void> => {
  let isOver = false
  const test = Effect.gen(function* () {
    const server = yield* serve(settings)
    const run = Effect.runPromiseWith(yield* Effect.context<never>())
    const using = Effect.promise(() => use(server, (millis) => run(TestClock.adjust(millis))))
    yield* Effect.ensuring(
      using,
      Effect.sync(() => (isOver = true))
    )
  })
  // Sending clients off takes time too.
  const passing = Effect.forever(
    Effect.andThen(
      Effect.promise(() => new Promise((resolve) => setImmediate(resolve))),
      Effect.suspend(() => (isOver ? TestClock.adjust(20) : Effect.void))
    )
  )
  return Effect.raceFirst(Effect.scoped(test), passing).pipe(Effect.provide(TestClock.layer()), Effect.runPromise)
}

describe("a client that says nothing", () => {
  it("is closed after `idleMillis`, and one that says something meanwhile is not", () =>
    withTime({ idleMillis: 30_000 }, async ({ counters, port }, pass) => {
      const [idle, other] = [await talk(port), await talk(port)]
      idle.send("PING\r\n")
      other.send("PING\r\n")
      expect([await idle.read(7), await other.read(7)]).toEqual(["+PONG\r\n", "+PONG\r\n"])
      await pass(29_000)
      other.send("PING\r\n")
      expect(await other.read(7)).toBe("+PONG\r\n")
      await pass(3_000)
      expect(await idle.rest()).toBe("")
      other.send("PING\r\n")
      expect(await other.read(7)).toBe("+PONG\r\n")
      expect(counters.connected).toBe(1)
      other.socket.destroy()
    }))

  it("gets no lock when it has gone away, and whoever comes next does", () =>
    withTime({}, async ({ counters, port }, pass) => {
      const [holder, gone, next] = [await talk(port), await talk(port), await talk(port)]
      holder.send(command("LOCK.ACQUIRE", "door", "60000"))
      expect(await holder.read(4)).toBe(":1\r\n")
      gone.send(command("PING") + command("LOCK.ACQUIRE", "door", "60000", "50000"))
      await gone.read(7)
      next.send(command("PING") + command("LOCK.ACQUIRE", "door", "60000", "50000"))
      await next.read(7)
      gone.socket.destroy()
      while (counters.connected > 2) await pass(20)
      holder.send(command("LOCK.RELEASE", "door", "1"))
      expect(await holder.read(4)).toBe(":1\r\n")
      await pass(100)
      expect(await next.read(4)).toBe(":2\r\n")
      holder.socket.destroy()
      next.socket.destroy()
    }))

  it("is not idle while it waits for a lock", () =>
    withTime({ idleMillis: 1_000 }, async ({ port }, pass) => {
      const waiting = await talk(port)
      waiting.send(command("LOCK.ACQUIRE", "door", "60000") + command("LOCK.ACQUIRE", "door", "60000", "50000"))
      expect(await waiting.read(4)).toBe(":1\r\n")
      await pass(49_000)
      await pass(2_000)
      expect(await waiting.read(5)).toBe("$-1\r\n")
      waiting.socket.destroy()
    }))
})

describe("a client that takes none of its replies", () => {
  it("is closed after `slowReaderMillis`, however little memory it costs", () =>
    withTime({ slowReaderMillis: 10_000 }, async ({ counters, port }, pass) => {
      const slow = await talk(port)
      slow.socket.pause()
      slow.send(command("SET", "big", "x".repeat(1_000_000)) + command("GET", "big").repeat(16))
      const other = await talk(port)
      // What fits into the system's buffers is taken as far as the server can tell: wait until no more is executed.
      for (let before = -1, same = 0; same < 5;) {
        other.send("PING\r\n")
        await other.read(7)
        await new Promise((resolve) => setTimeout(resolve, 10))
        same = counters.commands - before === 1 ? same + 1 : 0
        before = counters.commands
      }
      await pass(9_000)
      expect(counters).toMatchObject({ connected: 2, slowReaders: 0 })
      await pass(3_000)
      expect(counters).toMatchObject({ connected: 1, slowReaders: 1 })
      slow.socket.destroy()
      other.socket.destroy()
    }))
})

describe("clients that wait for one lock", () => {
  it("get it in the order of their coming, and ask no more often than one would", async () => {
    const waiters = 20
    let asked = 0
    const order: Array<number> = []
    const program = Effect.gen(function* () {
      const replicated = Context.get(yield* Layer.build(single), Store)
      const counted: Replicated.Replicated<Request, Response> = {
        ...replicated,
        invoke: (request, options) => Effect.suspend(() => (asked++, replicated.invoke(request, options)))
      }
      const means = { replicated: counted, settings: defaults, counters: make(), startedAt: 0, lines: new Lines() }
      const lock = (...words: ReadonlyArray<string>) =>
        performed(means, { _tag: "Perform", what: "LOCK.ACQUIRE", words })
      yield* lock("LOCK.ACQUIRE", "door", "10000", "0")
      yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: waiters }, (_, i) => i),
          // Each keeps it for a second.
          (i) => Effect.tap(lock("LOCK.ACQUIRE", "door", "1000", "60000"), () => Effect.sync(() => order.push(i))),
          { concurrency: "unbounded" }
        )
      )
      yield* TestClock.adjust("60 seconds")
    })
    await Effect.runPromise(Effect.scoped(Effect.provide(program, TestClock.layer())))
    expect(order).toEqual(Array.from({ length: waiters }, (_, i) => i))
    // 29 seconds at 20 ms.
    expect(asked).toBeLessThan(29 * 50 + 3 * waiters)
  })

  it("answers that it is held when its time is over, though others were before it", async () => {
    const program = Effect.gen(function* () {
      const replicated = Context.get(yield* Layer.build(single), Store)
      const means = { replicated, settings: defaults, counters: make(), startedAt: 0, lines: new Lines() }
      const lock = (wait: string) =>
        performed(means, { _tag: "Perform", what: "LOCK.ACQUIRE", words: ["LOCK.ACQUIRE", "door", "100000", wait] })
      yield* lock("0")
      const replies = yield* Effect.forkChild(
        Effect.forEach(["9000", "500", "700"], lock, { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("10 seconds")
      return yield* Fiber.join(replies)
    })
    const replies = await Effect.runPromise(Effect.scoped(Effect.provide(program, TestClock.layer())))
    expect(replies.map(({ _tag }) => _tag)).toEqual(["Null", "Null", "Null"])
  })
})
