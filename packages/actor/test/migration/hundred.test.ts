/** A hundred moves under load: nothing is lost, doubled or overtaken. */
import { expect, it } from "@effect/vitest"
import * as Tcp from "@troupe/transport/Tcp"
import { Migration } from "@troupe/actor"
import { Effect } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { drive, moves, shuttle, tally, waiting } from "./hundred.ts"
import { nodeOn } from "./processes.ts"
import { inWorld } from "./support.ts"

it.live("an actor with a counter, a timer and a full mailbox moves 100 times on virtual time: the count is exact", () =>
  Effect.gen(function* () {
    const { value, violations } = yield* inWorld(
      ({ on }) =>
        Effect.gen(function* () {
          for (const node of ["n1", "n2"])
            yield* on(
              node,
              Effect.flatMap(drive, (spawn) => spawn(node))
            )
          return yield* on("n1", shuttle)
        }),
      { nodes: ["n1", "n2"], layer: () => Migration.layer([tally]) }
    )
    expect(violations).toEqual([])
    expect(value).toMatchObject({ count: value!.sent, misplaced: 0 })
    expect(value!.sent).toBeGreaterThan((moves - 1) * waiting)
  })
)

const other = (address: string) =>
  Effect.acquireRelease(
    Effect.callback<ChildProcess>((resume) => {
      const child = fork(new URL("processes.ts", import.meta.url), [address], {
        execArgv: ["--conditions=@troupe/source"]
      })
      child.once("message", () => resume(Effect.succeed(child)))
      child.once("exit", (code) => resume(Effect.die(new Error(`the process ended early, with ${code}`))))
    }),
    (child) => Effect.sync(() => void child.kill("SIGKILL"))
  )

it.live(
  "the same between two processes over TCP, at 1,000 messages a second",
  () =>
    Effect.gen(function* () {
      const transport = yield* Tcp.make({ self: "n1", listen: "127.0.0.1:0", peers: { n2: null } })
      const { host, port } = transport.address
      yield* other(`${host}:${port}`)
      const context = yield* nodeOn(transport)
      const found = yield* Effect.provide(
        Effect.andThen(
          Effect.flatMap(drive, (spawn) => spawn("n1")),
          shuttle
        ),
        context
      )
      expect(found).toMatchObject({ count: found.sent, misplaced: 0 })
      expect(Math.min(...found.loads)).toBeGreaterThan(0)
    }).pipe(Effect.scoped),
  30_000
)
