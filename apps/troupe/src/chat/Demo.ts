/**
 * A chat on trial: users talk on three nodes, the process of one is killed, and started again. It ends with the verdict: who
 * was seen where and when, and whether everything that was said is in the histories of all nodes.
 */
import { Clock, Duration, Effect, Exit, type Scope } from "effect"
import * as Client from "./Client.ts"
import type { Process } from "./Processes.ts"

export interface Options {
  /** Of it, the last one is killed. */
  readonly nodes: ReadonlyArray<Process>
  /** How long a dead node's users may be shown, in milliseconds. */
  readonly boundMillis: number
  /** How long users talk before the kill, while the node is down, and when it is back. */
  readonly phaseMillis: number
  readonly tell: (line: string) => Effect.Effect<void>
}

/** What was seen, for who draws it. */
export interface Book {
  /** Posts whose users saw them, by the line that they saw. */
  readonly kept: Set<string>
  phase: string
}

export const emptyBook = (): Book => ({ kept: new Set(), phase: "the nodes start" })

export interface Check {
  readonly name: string
  readonly holds: boolean
  readonly detail: string
}

const room = "garden"
const talkers = ["ann", "bob"]

/** How long what is to come about may take, beyond what was promised. */
const patience = "20 seconds"

export const run = (
  { boundMillis, nodes, phaseMillis, tell }: Options,
  book: Book
): Effect.Effect<ReadonlyArray<Check>, Client.Hangup, Scope.Scope> =>
  Effect.gen(function* () {
    const everybody = nodes.flatMap(({ own }) => talkers.map((name) => `${name}-${own.id}@${own.id}`))
    for (const { own } of nodes) {
      for (const name of talkers) yield* Effect.forkScoped(talk(own.port, `${name}-${own.id}`, book))
    }
    const victim = nodes.at(-1)!
    const others = nodes.slice(0, -1)
    const watchers = yield* Effect.forEach(others, ({ own }) => insist(own.port, `watcher-${own.id}`))
    const isSeen = (user: string) => (people: ReadonlyArray<string>) => people.includes(user)
    const ofVictim = everybody.filter((user) => user.endsWith(`@${victim.own.id}`))
    const areThere = (people: ReadonlyArray<string>) => everybody.every((user) => isSeen(user)(people))
    const areGone = (people: ReadonlyArray<string>) => !ofVictim.some((user) => isSeen(user)(people))

    yield* seenBy(watchers, areThere)
    book.phase = "all talk"
    yield* tell(`${everybody.length} users talk on ${nodes.length} nodes`)
    yield* Effect.sleep(phaseMillis)

    yield* victim.end("SIGKILL")
    book.phase = `${victim.own.id} is dead`
    yield* tell(`${victim.own.id} is killed with -9`)
    const goneAfter = yield* seenBy(watchers, areGone)
    yield* tell(`its users are gone from /who of all others, after ${seconds(goneAfter)}`)
    yield* Effect.sleep(phaseMillis)

    yield* victim.start
    book.phase = `${victim.own.id} is back`
    yield* tell(`${victim.own.id} is started again`)
    const backAfter = yield* seenBy(watchers, areThere)
    yield* tell(`its users are there again, after ${seconds(backAfter)}`)
    yield* Effect.sleep(phaseMillis)

    book.phase = "silence"
    const histories = yield* settled([...watchers, yield* insist(victim.own.port, `watcher-${victim.own.id}`)])
    return [
      {
        name: "presence",
        holds: goneAfter <= boundMillis && backAfter < Infinity,
        detail:
          `the dead node's users were gone after ${seconds(goneAfter)}, where ${seconds(boundMillis)} are allowed, ` +
          `and there again ${seconds(backAfter)} after it was started`
      },
      ...judged(histories, book.kept)
    ]
  })

const seconds = (millis: number): string =>
  millis === Infinity ? `more than ${patience}` : `${(millis / 1000).toFixed(1)} s`

/** Of histories of all nodes. */
export const judged = (
  histories: ReadonlyArray<ReadonlyArray<string>>,
  kept: ReadonlySet<string>
): ReadonlyArray<Check> => {
  const [first = [], ...others] = histories
  const missing = [...kept].filter((line) => !histories.every((history) => history.includes(line)))
  const twice = histories.flatMap((history) => history.filter((line, index) => history.indexOf(line) < index))
  const isOne = others.every((history) => history.join("\n") === first.join("\n"))
  return [
    {
      name: "history",
      holds: missing.length === 0 && twice.length === 0,
      detail:
        `of ${kept.size} posts that were shown to their users, ${missing.length} are missing somewhere` +
        `${missing.length === 0 ? "" : `, such as ${missing[0]}`}; ${twice.length} are there twice`
    },
    {
      name: "one order",
      holds: isOne && first.length > 0,
      detail: `the ${histories.length} nodes show ${isOne ? `the same ${first.length} posts in one order` : "different ones"}`
    }
  ]
}

/** Talks, and comes back when its connection ends; no more when there is silence. */
const talk = (port: number, name: string, book: Book): Effect.Effect<void> => {
  let count = 0
  const visit = Effect.gen(function* () {
    const client = yield* Client.connect(port, name, room)
    while (book.phase !== "silence") {
      const end = ` ${name}: this is number ${++count}`
      client.type(end.slice(name.length + 3))
      book.kept.add(yield* client.until((line) => line.endsWith(end)))
      yield* Effect.sleep("100 millis")
    }
    yield* Effect.never
  })
  return Effect.forever(Effect.andThen(Effect.exit(Effect.scoped(visit)), Effect.sleep("50 millis")))
}

const insist = (port: number, name: string): Effect.Effect<Client.Client, never, Scope.Scope> =>
  Effect.eventually(Effect.tapError(Client.connect(port, name, room), () => Effect.sleep("50 millis")))

/** How long it takes until all of them see it so. */
const seenBy = (clients: ReadonlyArray<Client.Client>, isSo: (people: ReadonlyArray<string>) => boolean) =>
  Effect.gen(function* () {
    const from = yield* Clock.currentTimeMillis
    const see = (client: Client.Client): Effect.Effect<void, Client.Hangup> =>
      Effect.flatMap(Client.who(client), (people) =>
        isSo(people) ? Effect.void : Effect.andThen(Effect.sleep("20 millis"), see(client))
      )
    const exit = yield* Effect.exit(
      Effect.timeout(Effect.forEach(clients, see, { concurrency: "unbounded" }), patience)
    )
    return Exit.isSuccess(exit) ? (yield* Clock.currentTimeMillis) - from : Infinity
  })

/** The histories, when they are the same; or as they are after all that time. */
const settled = (clients: ReadonlyArray<Client.Client>) =>
  Effect.gen(function* () {
    const until = (yield* Clock.currentTimeMillis) + Duration.toMillis(patience)
    for (;;) {
      const histories = yield* Effect.forEach(clients, Client.history)
      const isOne = new Set(histories.map((history) => history.join("\n"))).size === 1
      if (isOne || (yield* Clock.currentTimeMillis) > until) return histories
      yield* Effect.sleep("50 millis")
    }
  })
