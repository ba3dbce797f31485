/**
 * Event-sourced actors over disks that crash with their nodes, and fail: whatever was acknowledged to a client, on whichever
 * node, is there whenever somebody asks later, once.
 */
import { ActorSystem, EventSourced, Messages, Supervision } from "@troupe/actor"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Duration, Effect, Exit, Layer, Random, Schedule, Schema } from "effect"
import { calmMillis, nodes, type Outcome, simulate, type World } from "./nodes.ts"

const durationMillis = 14_000

const Ledger = Messages.make("ledger", {
  Note: Messages.tell({ id: Schema.String }),
  Enter: Messages.ask({ id: Schema.String }, { reply: Schema.Int }),
  Read: Messages.ask({}, { reply: Schema.Array(Schema.String) })
})

const Entered = Schema.Struct({ id: Schema.String })

const ledger = EventSourced.make(Ledger, {
  log: "ledger",
  event: Entered,
  init: (): ReadonlyArray<string> => [],
  apply: (ids, { id }) => [...ids, id],
  on: {
    Note: (_, { id }) => ({ events: [{ id }] }),
    Enter: (ids, { id }) => ({ events: [{ id }], reply: ids.length + 1 }),
    Read: (ids) => ({ reply: ids })
  },
  // Replaced by its state now and then.
  snapshot: { state: Schema.Array(Schema.String), above: 2_048 }
})

const supervision = Supervision.restart({ limit: 1_000, backoff: Schedule.spaced("50 millis") })

export interface Ledgers extends World {
  /** How likely an operation of a disk fails. */
  readonly diskFailures?: number
  /** Disks say that they have synced, and have not. */
  readonly lying?: true
}

export const run = async (
  world: Ledgers
): Promise<Outcome & { readonly acknowledged: number; readonly crashes: number }> => {
  const disks = SimulatedDisk.make({ seed: world.seed, failureProbability: world.diskFailures ?? 0 })
  if (world.lying) for (const node of nodes) disks.disk(node).failing = "syncs silently"
  const acknowledged = new Map(nodes.map((node) => [node, new Set<string>()]))
  const violations = new Set<string>()
  const firstAfterCalm = new Map<string, number>()
  let now = 0
  let lives = 0

  const read = (found: ReadonlyArray<string>, of: string, expected: ReadonlyArray<string>): void => {
    const ids = new Set(found)
    if (ids.size < found.length) violations.add(`the ledger of ${of} has an entry twice`)
    for (const id of expected)
      if (!ids.has(id)) violations.add(`${id} was acknowledged, and is not in the ledger of ${of}`)
  }

  const broken = await simulate(
    world,
    durationMillis,
    ({ node, number, system }) =>
      Effect.gen(function* () {
        lives++
        const disk = yield* Layer.build(disks.layer(node))
        yield* Effect.provide(ActorSystem.spawn(ledger, { name: "ledger", supervision }), disk)
        for (let count = 1; now < durationMillis - 1_000; count++) {
          yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 80)))
          const to = nodes[yield* Random.nextIntBetween(0, nodes.length - 1)]!
          const there = yield* Effect.exit(system.at(Ledger, "ledger", to))
          if (Exit.isFailure(there)) continue
          const known = acknowledged.get(to)!
          const id = `${node}/${number}/${count}`
          const kind = yield* Random.nextIntBetween(0, 5)
          if (kind === 0) there.value.tell({ _tag: "Note", id })
          else if (kind === 1) {
            const expected = [...known]
            yield* Effect.forkChild(
              Effect.ignore(
                Effect.map(there.value.ask({ _tag: "Read" }, { timeout: "1 second" }), (found) =>
                  read(found, to, expected)
                )
              )
            )
          } else {
            const begun = now
            const entering = Effect.map(there.value.ask({ _tag: "Enter", id }, { timeout: "1 second" }), () => {
              known.add(id)
              if (begun >= calmMillis && !firstAfterCalm.has(to)) firstAfterCalm.set(to, now - calmMillis)
            })
            yield* Effect.forkChild(Effect.ignore(entering))
          }
        }
        const mine = yield* Effect.exit(system.at(Ledger, "ledger", node))
        if (Exit.isFailure(mine)) return void violations.add(`${node} has no ledger in the end`)
        // Its disk may fail just then, and who asks is told so.
        const again = { times: 5, schedule: Schedule.spaced("60 millis") }
        const reading = Effect.retry(mine.value.ask({ _tag: "Read" }), again)
        const last = yield* Effect.exit(Effect.timeout(reading, "900 millis"))
        if (Exit.isFailure(last))
          return void violations.add(`the ledger of ${node} cannot be read in the end: ${last.cause}`)
        read(last.value, node, [...acknowledged.get(node)!])
      }),
    { properties: [{ name: "time", kind: "always", holds: (seen) => (now = seen.nowMillis) >= 0 }] }
  )
  return {
    violations: [...broken, ...violations],
    worstMillis: nodes.reduce((worst, node) => Math.max(worst, firstAfterCalm.get(node) ?? durationMillis), 0),
    boundMillis: 3_000,
    acknowledged: [...acknowledged.values()].reduce((sum, { size }) => sum + size, 0),
    crashes: lives - nodes.length
  }
}
