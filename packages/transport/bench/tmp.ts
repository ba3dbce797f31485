import * as Tcp from "@troupe/transport/Tcp"
import { Channel, Codec, type Send } from "@troupe/transport"
import { Effect, Schema } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
const role = process.argv[2] ?? "measure"
const Order = Schema.Struct({
  id: Schema.Int,
  customer: Schema.String,
  item: Schema.String,
  amount: Schema.Finite,
  urgent: Schema.Boolean
})
const kind = process.argv[3] ?? "bytes"
const msg: any =
  kind === "bytes"
    ? new Uint8Array(100)
    : { id: 4711, customer: "a customer of some name", item: "an item of this shop", amount: 12.5, urgent: false }
const ch: Channel.Channel<any> =
  kind === "bytes"
    ? (Channel.fromCodec("b", Codec.bytes) as any)
    : kind === "json"
      ? Channel.make("b", Order, Codec.json)
      : Channel.make("b", Order)
const depth = Number(process.argv[4] ?? 100)
if (role === "serve") {
  await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const n = yield* Tcp.make({ self: "s", listen: "127.0.0.1:0", peers: { c: null } })
        const send: Send<any> = yield* n.open(ch, (f, m) => send(f, m))
        console.log(n.address.port)
        yield* Effect.promise(() => once(process.stdin.resume(), "end"))
        process.exit(0)
      })
    )
  )
} else {
  const other = spawn(process.execPath, [...process.execArgv, process.argv[1]!, "serve", kind], {
    stdio: ["pipe", "pipe", "inherit"]
  })
  const [port] = await once(createInterface(other.stdout), "line")
  await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const n = yield* Tcp.make({ self: "c", listen: "127.0.0.1:0", peers: { s: `127.0.0.1:${port}` } })
        let left = 0,
          tosend = 0
        let res = () => {}
        const send: Send<any> = yield* n.open(ch, (_f, _m) => {
          if (--left === 0) res()
          else if (tosend-- > 0) send("s", msg)
        })
        yield* n.awaitUp("s")
        for (let r = 0; r < 6; r++) {
          const N = kind === "bytes" ? 500_000 : 100_000
          const t = performance.now()
          yield* Effect.promise(
            () =>
              new Promise<void>((ok) => {
                res = ok
                left = N
                tosend = N - depth
                for (let i = 0; i < depth; i++) send("s", msg)
              })
          )
          console.log(Math.round((N / (performance.now() - t)) * 1000), "rt/s")
        }
      })
    )
  )
  process.exit(0)
}
