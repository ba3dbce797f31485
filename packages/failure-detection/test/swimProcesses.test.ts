/** Over UDP: five processes, one of which is killed; newcomers that know the address of one node. */
import { describe, expect, it } from "@effect/vitest"
import { FailureDetector, Swim } from "@troupe/failure-detection"
import { Transport } from "@troupe/transport"
import * as Udp from "@troupe/transport/Udp"
import { Clock, Context, Effect, Layer } from "effect"
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

describe("newcomers that know the address of a seed alone", () => {
  it.live(
    "learn from it where the others are, and speak with them",
    () =>
      Effect.gen(function* () {
        const keys = yield* Udp.keyRing([Uint8Array.from({ length: 32 }, (_, at) => at)])
        const addressOf = ({ address: { host, port } }: Udp.UdpTransport): string => `${host}:${port}`
        const join = Effect.fnUntraced(function* (self: string, peers: Readonly<Record<string, string>>) {
          const udp = yield* Udp.make({ self, listen: "127.0.0.1:0", peers, keys })
          const learn = (node: string, address: string): void => Effect.runSync(udp.introduce(node, address))
          const layer = Swim.layer({ ...options, seeds: ["n1"], addresses: { own: addressOf(udp), learn } })
          const context = yield* Layer.build(Layer.provide(layer, Layer.succeed(Transport, udp)))
          return { udp, detector: Context.get(context, FailureDetector) }
        })
        const first = yield* join("n1", {})
        const seed = { n1: addressOf(first.udp) }
        const second = yield* join("n2", seed)
        const third = yield* join("n3", seed)
        const sees = (detector: FailureDetector["Service"], node: string) =>
          Effect.map(detector.opinions, (opinions) => opinions.get(node)?.status === "up")
        while (!(yield* sees(second.detector, "n3")) || !(yield* sees(third.detector, "n2"))) yield* Effect.sleep(20)
        expect(second.udp.addressOf("n3")).toBe(addressOf(third.udp))
        expect(third.udp.addressOf("n2")).toBe(addressOf(second.udp))
      }).pipe(Effect.scoped),
    30_000
  )
})
