/**
 * Questions across nodes: servers that answer at once, later or never, fail, refuse and stop, and clients that ask them while
 * nodes and links fail. Each question is taken once at the most; an answer is that of its question; what an error says is so.
 */
import { type ActorRef, ActorSystem, Behavior, Messages } from "@troupe/actor"
import { Cause, Duration, Effect, Exit, Random, Schema } from "effect"

import { calmMillis, nodes, type Outcome, simulate, type World } from "./nodes.ts"

const durationMillis = 13_000

/** The longest that a client is ready to wait. */
const patienceMillis = 3_000

class Refused extends Schema.TaggedError<Refused>()("Refused", { id: Schema.String }) {}

const ways = ["now", "now", "later", "never", "fails", "refuses", "stops"] as const
type Way = (typeof ways)[number]

const Server = Messages.make("server", {
  Ask: Messages.ask({ id: Schema.String, way: Schema.Literals(ways) }, { reply: Schema.String, failure: Refused }),
  /** The numbers of one teller in one life: each after all before it. */
  Count: Messages.tell({ teller: Schema.String, number: Schema.Int }),
  Answer: Messages.tell({ id: Schema.String })
})

const Keeper = Messages.make("keeper", { Ended: Messages.tell({}) })

/** What has happened on all nodes. */
interface Record {
  /** How often a question was taken. */
  readonly taken: Map<string, number>
  readonly violations: Set<string>
  answered: number
}

const server = (record: Record) =>
  Behavior.make(Server, {
    init: (): { readonly late: Map<string, Behavior.Answer<string, Refused>>; readonly last: Map<string, number> } => ({
      late: new Map(),
      last: new Map()
    }),
    on: {
      Ask: (state, { id, way }, self) => {
        record.taken.set(id, (record.taken.get(id) ?? 0) + 1)
        switch (way) {
          case "later": {
            const later = self.defer()
            state.late.set(id, later)
            self.setTimer(id, self.random() * 2_000, { _tag: "Answer", id })
            return { state, later }
          }
          case "never":
            return { state, later: self.defer() }
          case "fails":
            throw new Error(id)
          case "refuses":
            return { state, failure: new Refused({ id }) }
          case "stops":
            self.stop()
            return { state, reply: id }
          case "now":
            return { state, reply: id }
        }
      },
      Count: (state, { number, teller }) => {
        const last = state.last.get(teller) ?? 0
        if (number <= last) record.violations.add(`${number} of ${teller} came after ${last}`)
        state.last.set(teller, number)
        return state
      },
      Answer: (state, { id }) => {
        state.late.get(id)?.reply(id)
        state.late.delete(id)
        return state
      }
    }
  })

/** Has a server, and another one when that stops. */
const keeper = (record: Record) =>
  Behavior.make(Keeper, {
    init: (self) => spawnServer(record, self),
    on: { Ended: (_, _ended, self) => spawnServer(record, self) }
  })

const spawnServer = (record: Record, self: Behavior.Self<typeof Keeper.definition>): void =>
  self.watch(self.spawn(server(record), { name: "server" }), () => ({ _tag: "Ended" }))

/** What an outcome says must be so of how often the question was taken. */
const judge = (id: string, way: Way, taken: number, exit: Exit.Exit<string, unknown>): string | undefined => {
  if (taken > 1) return `${id} was taken ${taken} times`
  if (Exit.isSuccess(exit)) {
    if (exit.value !== id) return `${id} was answered as ${exit.value}`
    return taken === 1 && ["now", "later", "stops"].includes(way) ? undefined : `${id}, ${way}, was answered`
  }
  const error = Cause.squash(exit.cause) as { readonly _tag: string; readonly id?: string }
  // It was put off when the actor ended, or began anew.
  const isOpen = way === "later" || way === "never"
  switch (error._tag) {
    case "AskTimeout":
    case "Unreachable":
      return undefined
    case "ActorStopped":
      return taken === 0 || isOpen ? undefined : `${id} was taken, and its asker told that the actor has stopped`
    case "HandlerFailed":
      return taken === 1 && (way === "fails" || isOpen) ? undefined : `${id}, ${way}, failed`
    case "Refused":
      return error.id === id && taken === 1 && way === "refuses"
        ? undefined
        : `${id}, ${way}, was refused as ${error.id}`
    default:
      return `${id} came to ${error._tag}`
  }
}

export const run = async (world: World): Promise<Outcome & { readonly answered: number }> => {
  const record: Record = { taken: new Map(), violations: new Set(), answered: 0 }
  const asked = new Map<string, { readonly way: Way; readonly exit: Exit.Exit<string, unknown> }>()
  const firstAfterCalm = new Map<string, number>()
  /** Nodes may stand still. */
  const stands = (world.faults.pausesPerMinute ?? 0) > 0

  const ask = (node: string, id: string, millis: () => number, ref: ActorRef<typeof Server.definition>) =>
    Effect.gen(function* () {
      const way = ways[yield* Random.nextIntBetween(0, ways.length - 1)]!
      const timeout = yield* Random.nextIntBetween(20, patienceMillis)
      const begun = millis()
      const exit = yield* Effect.exit(ref.ask({ _tag: "Ask", id, way }, { timeout: Duration.millis(timeout) }))
      asked.set(id, { way, exit })
      const took = millis() - begun
      // Its own clock may run fast or slow.
      if (!stands && took > timeout * 1.001 + 1) record.violations.add(`${id} took ${took} ms, and may ${timeout}`)
      if (!Exit.isSuccess(exit)) return
      record.answered++
      if (begun >= calmMillis && !firstAfterCalm.has(node)) firstAfterCalm.set(node, begun + took - calmMillis)
    })

  let now = 0
  const broken = await simulate(
    world,
    durationMillis,
    ({ node, number, system }) =>
      Effect.gen(function* () {
        yield* ActorSystem.spawn(keeper(record), { name: "keeper" })
        const tellers = `${node}/${number}`
        for (let count = 1; now < durationMillis - patienceMillis - 100; count++) {
          yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 60)))
          const to = nodes[yield* Random.nextIntBetween(0, nodes.length - 1)]!
          const found = yield* Effect.exit(system.at(Server, "keeper/server", to))
          if (Exit.isFailure(found)) continue
          yield* Effect.forkChild(ask(node, `${tellers}/${count}`, () => now, found.value))
          found.value.tell({ _tag: "Count", teller: tellers, number: count })
        }
        yield* Effect.sleep(Duration.millis(patienceMillis + 50))
      }),
    {
      properties: [{ name: "time", kind: "always", holds: (seen) => (now = seen.nowMillis) >= 0 }]
    }
  )
  for (const [id, { exit, way }] of asked) {
    const wrong = judge(id, way, record.taken.get(id) ?? 0, exit)
    if (wrong !== undefined) record.violations.add(wrong)
  }
  for (const [id, taken] of record.taken) if (taken > 1) record.violations.add(`${id} was taken ${taken} times`)
  return {
    violations: [...broken, ...record.violations],
    worstMillis: nodes.reduce((worst, node) => Math.max(worst, firstAfterCalm.get(node) ?? durationMillis), 0),
    boundMillis: 3_000,
    answered: record.answered
  }
}
