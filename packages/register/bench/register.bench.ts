/**
 * Registers through their service: compare-and-sets a second, one after the other, on the host and from another node over
 * the memory transport, beside the floor of a message and its answer.
 *
 *     node --conditions=@troupe/source packages/register/bench/register.bench.ts [--json] [--rounds 7]
 */
import { Actor, type Protocol } from "@troupe/actor"
import { MemoryRegister, Register, ServedRegister } from "@troupe/register"
import { Memory, Transport } from "@troupe/transport"
import { Context, Effect, Layer, Schema } from "effect"
import { parseArgs } from "node:util"

const { json, rounds: given } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "7" } }
}).values
const rounds = Number(given)
const calls = 10_000
const nodes = ["n1", "n2"]

/** A message and its answer, and nothing else. */
const echo: Protocol.Protocol<number, "ping" | "pong", "ping", "pong"> = {
  name: "bench/echo",
  message: Schema.Literals(["ping", "pong"]),
  init: () => 0,
  onCommand: (state, command, act) => {
    act.send("n1", command)
    return state
  },
  onMessage: (state, from, message, act) => {
    if (message === "ping") act.send(from, "pong")
    else act.emit("pong")
    return state
  }
}

const perSecond = (millis: number): number => Math.round((calls / millis) * 1000)

const timed = <E, R>(each: Effect.Effect<unknown, E, R>): Effect.Effect<number, E, R> =>
  Effect.gen(function* () {
    const start = performance.now()
    for (let i = 0; i < calls; i++) yield* each
    return perSecond(performance.now() - start)
  })

const onBoth = <A>(use: (node: string) => Effect.Effect<A, any, any>) =>
  Effect.gen(function* () {
    const network = Memory.network({ nodes })
    return yield* Effect.forEach(nodes, (node) =>
      Effect.flatMap(Memory.connect(network, node), (transport) =>
        Effect.provideService(use(node) as Effect.Effect<A, any, any>, Transport, transport)
      )
    )
  })

const roundTrips = Effect.gen(function* () {
  const [, actor] = yield* onBoth(() => Actor.spawn(echo))
  return yield* timed(
    Effect.callback<void>((resume) => {
      const stop = actor!.subscribe(() => {
        stop()
        resume(Effect.void)
      })
      actor!.tell("ping")
    })
  )
})

const setting = (register: Register["Service"]) =>
  Effect.suspend(() => {
    let version = 0
    return timed(Effect.suspend(() => register.compareAndSet("x", version++, 1)))
  })

const served = (index: number) =>
  Effect.gen(function* () {
    const registers = yield* onBoth(() => Effect.map(Layer.build(ServedRegister.layer()), Context.get(Register)))
    return yield* setting(registers[index]!)
  })

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

const measure = (run: Effect.Effect<number, any, any>) =>
  Effect.map(
    Effect.forEach(Array.from({ length: rounds + 1 }), () => Effect.scoped(run)),
    (all) => median(all.slice(1))
  ) as Effect.Effect<number>

const report = await Effect.runPromise(
  Effect.all({
    "round trips/s (floor)": measure(roundTrips),
    "compare-and-set/s from another node": measure(served(1)),
    "compare-and-set/s on the host": measure(served(0)),
    "compare-and-set/s in memory": measure(Effect.suspend(() => setting(MemoryRegister.make().service)))
  })
)
if (json) console.log(JSON.stringify(report))
else for (const [what, rate] of Object.entries(report)) console.log(`${what}: ${rate}`)
