/** Five processes over UDP, one of which is killed. */
import { describe, expect, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import type { Start, Told } from "./swimNode.ts"
import { nodesOf } from "./swimSupport.ts"

/** A fifth of the defaults, so that it takes a fifth of the time: no suspicion is shorter than 800 ms. */
const options: NonNullable<Start["options"]> = {
  probeInterval: "200 millis",
  probeTimeout: "100 millis",
  gossipInterval: "40 millis"
}
const periodMillis = 200

const nodes = nodesOf(5)

const startProcess = (node: string) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      fork(new URL("swimNode.ts", import.meta.url), [node, ...nodes.filter((other) => other !== node)], {
        execArgv: ["--conditions=@troupe/source"]
      })
    ),
    (child) =>
      Effect.callback<void>((resume) => {
        if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
        child.once("exit", () => resume(Effect.void))
        child.kill("SIGKILL")
      })
  )

/** What a process tells first of all that `wanted` accepts. */
const told = <A>(child: ChildProcess, wanted: (said: Told) => A | undefined): Effect.Effect<A> =>
  Effect.callback((resume) => {
    const listener = (said: Told): void => {
      const found = wanted(said)
      if (found === undefined) return
      child.off("message", listener)
      resume(Effect.succeed(found))
    }
    child.on("message", listener)
  })

describe("five processes", () => {
  it.live(
    "one is killed with -9: each of the others says so, in the time that the card's settings predict",
    () =>
      Effect.gen(function* () {
        const all = { concurrency: "unbounded" } as const
        const children = yield* Effect.forEach(nodes, startProcess, all)
        const ports = yield* Effect.forEach(
          children,
          (child) => told(child, (said) => (said._tag === "Port" ? said.port : undefined)),
          all
        )
        const start: Start = { options, ports: Object.fromEntries(nodes.map((node, at) => [node, ports[at]!])) }
        yield* Effect.forEach(
          children,
          (child) => {
            child.send(start)
            return told(child, ({ _tag }) => (_tag === "Up" ? true : undefined))
          },
          all
        )
        yield* Effect.sleep(2 * periodMillis)
        const killedAt = yield* Clock.currentTimeMillis
        children[2]!.kill("SIGKILL")
        const millis = yield* Effect.forEach(
          children.filter((child) => child !== children[2]),
          (child) =>
            Effect.andThen(
              told(child, (said) =>
                said._tag === "Change" && said.node === nodes[2] && said.status === "down" ? true : undefined
              ),
              Effect.map(Clock.currentTimeMillis, (now) => now - killedAt)
            ),
          all
        )
        // A suspicion lasts 4 periods at the least, and 24 where nobody confirms it; before that, the probe.
        for (const each of millis) {
          expect(each).toBeGreaterThan(4 * periodMillis)
          expect(each).toBeLessThan((24 + 12) * periodMillis)
        }
      }).pipe(Effect.scoped),
    60_000
  )
})
