/**
 * Agreed views a second: a member of a group of five leaves and comes in again, over and over, on the memory transport;
 * beside a bare loop of three rounds of messages between one node and the four others, which is what agreement costs.
 *
 *     node --conditions=@troupe/source packages/group/bench/membership.bench.ts [--json] [--rounds 5]
 */
import { Actor } from "@troupe/actor"
import { CoordinatedMembership } from "@troupe/group"
import { Channel, Memory, Transport } from "@troupe/transport"
import { Effect, Schema, type Scope } from "effect"
import { parseArgs } from "node:util"

const { json, rounds: given } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "5" } }
}).values
const rounds = Number(given)

const nodes = ["n1", "n2", "n3", "n4", "n5"]
const group = "g"
const changes = 5_000
const { protocol } = CoordinatedMembership

/** Does so many changes, one after the other. */
type Run = (count: number) => Effect.Effect<void>

const views: Effect.Effect<Run, unknown, Scope.Scope> = Effect.gen(function* () {
  const network = Memory.network({ nodes })
  const actors = yield* Effect.forEach(nodes, (node) =>
    Effect.flatMap(Memory.connect(network, node), (transport) =>
      Actor.spawn(protocol, { options: { ...CoordinatedMembership.defaults, reportMillis: 2 ** 30 } }).pipe(
        Effect.provideService(Transport, transport)
      )
    )
  )
  const [first, last] = [actors[0]!, actors[4]!]
  for (const actor of actors) actor.tell({ _tag: "Coordinate", coordinator: "n1" })
  const membersAt = (): number => first.state().groups.get(group)?.installed?.members.length ?? 0
  const until = (count: number) =>
    Effect.gen(function* () {
      while (membersAt() !== count) yield* Effect.yieldNow
    })
  for (const [i, actor] of actors.entries()) {
    actor.tell({ _tag: "Enter", group, mode: "enter" })
    yield* until(i + 1)
  }
  return (count) =>
    Effect.gen(function* () {
      for (let done = 0; done < count; done += 2) {
        last.tell({ _tag: "Leave", group })
        yield* until(4)
        last.tell({ _tag: "Enter", group, mode: "enter" })
        yield* until(5)
      }
    })
})

const Rounds = Channel.make("rounds", Schema.Int)

const bare: Effect.Effect<Run, unknown, Scope.Scope> = Effect.gen(function* () {
  const network = Memory.network({ nodes })
  let answers = 0
  let told = 0
  const opened = yield* Effect.forEach(nodes, (node) =>
    Effect.gen(function* () {
      const transport = yield* Memory.connect(network, node)
      const send = yield* transport.open(Rounds, (from, round) => {
        if (node === "n1") answers++
        else if (round === 0) send(from, 1)
        else told++
      })
      return send
    })
  )
  const send = opened[0]!
  return (count) =>
    Effect.gen(function* () {
      for (let done = 0; done < count; done++) {
        answers = 0
        told = 0
        for (let i = 1; i < nodes.length; i++) send(nodes[i]!, 0)
        while (answers < 4) yield* Effect.yieldNow
        for (let i = 1; i < nodes.length; i++) send(nodes[i]!, 2)
        while (told < 4) yield* Effect.yieldNow
      }
    })
})

const program = Effect.gen(function* () {
  const runs = { floor: yield* bare, views: yield* views }
  const figures: Record<string, Array<number>> = {}
  for (let round = -1; round < rounds; round++) {
    for (const [name, run] of Object.entries(runs)) {
      const start = performance.now()
      yield* run(changes)
      if (round >= 0) (figures[name] ??= []).push((changes / (performance.now() - start)) * 1000)
    }
  }
  return Object.fromEntries(Object.entries(figures).map(([name, all]) => [name, Math.round(median(all))]))
})

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

const report = {
  benchmark: "agreed views of a group of five, one change after the other, memory transport",
  unit: "views/s, medians",
  rounds,
  ...(await Effect.runPromise(Effect.scoped(program)))
}
console.log(json ? JSON.stringify(report) : report)
