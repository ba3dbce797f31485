/**
 * Asking an actor of another process over TCP on loopback, one question at a time and 100 in flight, beside framed echoes
 * over a bare socket and bare messages on the same transport, between the same two processes.
 *
 *     node --expose-gc --conditions=@troupe/source packages/actor/bench/remote.bench.ts [--json] [--rounds 5]
 *
 * Rates are of answers that came, each the one that was expected. A bare echo carries bytes that nobody reads, knows neither
 * actors nor questions, and gives up on none. Beside each rate is what an answer takes of both processes' time: it says more
 * than the rate where others use the machine too.
 */
import { ActorSystem } from "@troupe/actor"
import { Channel, type Send, Transport } from "@troupe/transport"
import type * as Tcp from "@troupe/transport/Tcp"
import { Effect, Schema } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { Adder, adder, asking, cpuMicros, median, onNode } from "./asking.ts"
import { connect, serve } from "./framed.ts"

const { json, port, ...given } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    /** Of who measures, in the process that answers. */
    port: { type: "string", default: "" }
  }
}).values
const rounds = Number(given.rounds)

const depths = [
  { depth: 1, count: 10_000 },
  { depth: 100, count: 200_000 }
]

const Ball = Channel.make("ball", Schema.Int)

// --------------------------------------------------------------------------------------------------------- who answers

const answering = Effect.gen(function* () {
  const transport = yield* Transport
  const back: Send<number> = yield* transport.open(Ball, (from, ball) => back(from, ball))
  yield* ActorSystem.spawn(adder, { name: "adder" })
  const echo = yield* Effect.promise(serve)
  process.on("message", () => process.send!(cpuMicros()))
  process.send!(echo)
  yield* Effect.promise(() => once(process, "disconnect"))
})

// -------------------------------------------------------------------------------------------------------- who measures

/** `depth` balls that go there and back. Gives how many came back. */
const balls = Effect.gen(function* () {
  const transport = yield* Transport
  let [toSend, awaited, back] = [0, 0, 0]
  let done = (_: number): void => {}
  const serve = (): void => {
    if (toSend > 0) send("there", toSend--)
  }
  const send: Send<number> = yield* transport.open(Ball, () => {
    if (++back === awaited) done(back)
    else serve()
  })
  return (depth: number, count: number) =>
    Effect.callback<number>((resume) => {
      ;[toSend, awaited, back] = [count, count, 0]
      done = (all) => resume(Effect.succeed(all))
      for (let i = 0; i < depth; i++) serve()
    })
})

const cpuOf = (child: ChildProcess): Effect.Effect<number> =>
  Effect.promise(async () => {
    child.send("cpu")
    return ((await once(child, "message")) as [number])[0]
  })

/** Answers a second, and microseconds of both processes for one; the check is that there were as many as intended. */
const measured = <E>(child: ChildProcess, count: number, work: Effect.Effect<number, E>) =>
  Effect.gen(function* () {
    globalThis.gc?.()
    const before = (yield* cpuOf(child)) + cpuMicros()
    const start = performance.now()
    const done = yield* work
    const seconds = (performance.now() - start) / 1000
    if (done !== count) return yield* Effect.die(new Error(`${done} were right of ${count}: that is no rate`))
    return { perSecond: count / seconds, micros: ((yield* cpuOf(child)) + cpuMicros() - before) / count }
  })

const measuring = Effect.fnUntraced(function* ({ address, awaitUp }: Tcp.TcpTransport) {
  const child = fork(fileURLToPath(import.meta.url), ["--port", String(address.port)])
  const [echoPort] = (yield* Effect.promise(() => once(child, "message"))) as [number]
  const echo = yield* Effect.promise(() => connect(echoPort))
  const ball = yield* balls
  yield* awaitUp("there")
  const adder = yield* (yield* ActorSystem.ActorSystem).at(Adder, "adder", "there")
  const ways = {
    "framed echo": (depth: number, count: number) => Effect.promise(() => echo(depth, count)),
    "bare message, there and back": ball,
    ask: (depth: number, count: number) => asking(adder, depth, count)
  }
  const found = new Map<string, Array<{ readonly perSecond: number; readonly micros: number }>>()
  // Interleaved, so that what else the machine does befalls all of them.
  for (let round = -1; round < rounds; round++) {
    for (const { count, depth } of depths) {
      for (const [way, run] of Object.entries(ways)) {
        const what = `${way}, ${depth} in flight`
        const one = yield* measured(child, count, run(depth, count))
        if (round >= 0) found.set(what, [...(found.get(what) ?? []), one])
      }
    }
  }
  child.disconnect()
  return found
})

if (port !== "") {
  await onNode("there", { here: `127.0.0.1:${port}` }, () => answering)
  process.exit()
}

const found = await onNode("here", { there: null }, measuring)
const figures = Object.fromEntries(
  [...found].map(([what, values]) => {
    const perSecond = Math.round(median(values.map((each) => each.perSecond)))
    return [what, { perSecond, micros: Number(median(values.map((each) => each.micros)).toPrecision(3)) }]
  })
)
const ratios = Object.fromEntries(
  depths.map(({ depth }) => {
    const [floor, ask] = [found.get(`framed echo, ${depth} in flight`)!, found.get(`ask, ${depth} in flight`)!]
    const of = median(ask.map(({ perSecond }, round) => perSecond / floor[round]!.perSecond))
    return [`ask to framed echo, ${depth} in flight`, Number(of.toPrecision(3))]
  })
)
const report = { benchmark: "asking over TCP, medians", rounds, ...figures, ...ratios }
console.log(json ? JSON.stringify(report) : report)
process.exit()
