/**
 * A node in a process of its own: SWIM over UDP, on a free port of loopback.
 *
 * It tells its parent the port, is told those of all nodes, and from then on tells each change of status. When it is asked
 * for its counters, it tells them.
 */
import { FailureDetector, Swim } from "@troupe/failure-detection"
import { Transport } from "@troupe/transport"
import * as Udp from "@troupe/transport/Udp"
import { Effect, Layer, Stream } from "effect"

/** What the parent says first. */
export interface Start {
  readonly ports: Readonly<Record<string, number>>
  readonly options: Parameters<typeof Swim.layer>[0]
}

export type Told =
  | { readonly _tag: "Port"; readonly port: number }
  | { readonly _tag: "Up" }
  | { readonly _tag: "Change"; readonly node: string; readonly status: string }
  | { readonly _tag: "Counters"; readonly counters: Udp.Counters }

const tell = (told: Told): void => void process.send!(told)

const start = Effect.callback<Start>(
  (resume) => void process.once("message", (given: Start) => resume(Effect.succeed(given)))
)

const main = Effect.gen(function* () {
  const [self, ...others] = process.argv.slice(2)
  const peers = Object.fromEntries(others.map((peer) => [peer, null]))
  const transport = yield* Udp.make({ self: self!, listen: "127.0.0.1:0", peers })
  tell({ _tag: "Port", port: transport.address.port })
  const { options, ports } = yield* start
  for (const [peer, port] of Object.entries(ports)) {
    if (peer !== self) yield* transport.introduce(peer, `127.0.0.1:${port}`)
  }
  process.on("message", () => tell({ _tag: "Counters", counters: { ...transport.counters } }))
  const watch = Effect.gen(function* () {
    const detector = yield* FailureDetector
    tell({ _tag: "Up" })
    yield* Stream.runForEach(detector.changes, ({ node, status }) =>
      Effect.sync(() => tell({ _tag: "Change", node, status }))
    )
  })
  yield* watch.pipe(Effect.provide(Layer.provide(Swim.layer(options), Layer.succeed(Transport, transport))))
})

await Effect.runPromise(Effect.scoped(main))
