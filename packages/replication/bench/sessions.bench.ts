/**
 * What a session costs: gets a second from a node's own copy of passive replication, one after another, with a session and
 * without; beside a floor, the same gets from the machine alone.
 *
 *     node --conditions=@troupe/source packages/replication/bench/sessions.bench.ts [--json] [--rounds 5]
 */
import { KeyValue, Passive, Sessions } from "@troupe/replication"
import { MemoryStorage } from "@troupe/storage"
import { Memory } from "@troupe/transport"
import { Context, Effect, Layer } from "effect"
import { parseArgs } from "node:util"

const { json, rounds: given } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "5" } }
}).values

const gets = 100_000
const keys = 1_000
const at = { now: 0, random: () => 0 }

const getOf = (i: number): KeyValue.Request => ({ _tag: "Get", key: `key ${(i * 7919) % keys}` })

const perSecond = <E>(get: (request: KeyValue.Request) => Effect.Effect<unknown, E>) =>
  Effect.gen(function* () {
    const start = performance.now()
    for (let i = 0; i < gets; i++) yield* get(getOf(i))
    return (gets / (performance.now() - start)) * 1000
  })

const program = Effect.gen(function* () {
  const network = Memory.network({ nodes: ["n1", "n2", "n3"] })
  const [one] = yield* Effect.forEach(["n1", "n2", "n3"], (node) =>
    Layer.build(
      Passive.layer(KeyValue.KeyValue).pipe(Layer.provide([Memory.layer(network, node), MemoryStorage.layer()]))
    )
  )
  const service = Context.get(one!, KeyValue.KeyValue)
  let state = KeyValue.init
  for (let i = 0; i < keys; i++) {
    const request: KeyValue.Request = { _tag: "Put", key: `key ${i}`, value: new Uint8Array(8) }
    yield* service.invoke(request)
    state = KeyValue.machine.execute(state, request, at).updates.reduce(KeyValue.machine.apply, state)
  }
  const session = yield* Sessions.make(KeyValue.machine, service)
  const cases = {
    "floor: the machine alone": perSecond((request) => Effect.sync(() => KeyValue.machine.execute(state, request, at))),
    "local, without a session": perSecond((request) => service.invoke(request, { read: "local" })),
    "local, in a session": perSecond(session.invoke)
  }
  const figures = new Map<string, Array<number>>()
  for (let round = 0; round < Number(given); round++) {
    for (const [name, run] of Object.entries(cases)) figures.set(name, [...(figures.get(name) ?? []), yield* run])
  }
  return [...figures].map(([name, all]) => ({
    name,
    perSecond: Math.round(all.toSorted((a, b) => a - b)[all.length >> 1]!)
  }))
})

const results = await Effect.runPromise(Effect.scoped(program))
if (json) console.log(JSON.stringify(results))
else {
  const base = results[0]!.perSecond
  for (const { name, perSecond } of results) {
    console.log(
      `${name.padEnd(30)} ${String(perSecond).padStart(9)} a second  ${(perSecond / base).toFixed(2)} of the floor`
    )
  }
}
