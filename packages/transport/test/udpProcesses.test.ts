/** Two processes over loopback, one of which is killed and comes back. */
import { Channel } from "@troupe/transport"
import * as Udp from "@troupe/transport/Udp"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { Log } from "./support.ts"
import { key } from "./udpSupport.ts"

const Words = Channel.make("words", Schema.String)

const ended = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

const echo = Effect.acquireRelease(
  Effect.callback<{ readonly child: ChildProcess; readonly port: number }>((resume) => {
    const child = fork(new URL("udpEcho.ts", import.meta.url), [], { execArgv: ["--conditions=@troupe/source"] })
    child.once("message", (port) => resume(Effect.succeed({ child, port: port as number })))
    child.once("exit", (code) => resume(Effect.die(new Error(`the process ended early, with ${code}`))))
  }),
  ({ child }) => ended(child)
)

describe("two processes", () => {
  it.live(
    "speak with each other, and again after one was killed and started anew under its name",
    () =>
      Effect.gen(function* () {
        const keys = yield* Udp.keyRing([key(1)])
        const n1 = yield* Udp.make({ self: "n1", listen: "127.0.0.1:0", keys })
        const answers = new Log<string>()
        const send = yield* n1.open(Words, (_, word) => answers.add(word))
        for (const life of ["first", "second"]) {
          const { child, port } = yield* echo
          yield* n1.introduce("n2", `127.0.0.1:${port}`)
          const answer = `${life} ${child.pid}`
          yield* Effect.raceFirst(
            answers.until((items) => items.includes(answer)),
            Effect.forever(
              Effect.andThen(
                Effect.sync(() => send("n2", life)),
                Effect.sleep(10)
              )
            )
          )
          yield* ended(child)
          // The network takes what nobody listens to.
          send("n2", "to the dead")
          yield* Effect.yieldNow
        }
        expect(n1.counters).toMatchObject({ dropped: 0, rejected: 0, packetsForged: 0, packetsReplayed: 0 })
      }).pipe(Effect.scoped),
    30_000
  )
})
