/** What takes asking the replica how it stands, or time. */
import type { Replicated } from "@troupe/replication"
import { type Cause, Clock, Effect, Exit } from "effect"
import * as Integers from "../Integers.ts"
import type { Request, Response } from "../KeyspaceMachine.ts"
import * as Reply from "../Reply.ts"
import { explain } from "./Batcher.ts"
import type { Service } from "./Client.ts"
import type { Counters } from "./Counters.ts"
import type { Lines } from "./Lines.ts"
import type { Action } from "./Action.ts"
import { redisVersion } from "./ownCommands.ts"
import type { Settings } from "./Settings.ts"

export interface Means {
  readonly replicated: Replicated.Replicated<Request, Response>
  readonly settings: Settings
  readonly counters: Counters
  readonly startedAt: number
  readonly lines: Lines
}

/** `isGone` tells whether who asked has hung up, or is about to be, so that it waits for nothing more. */
export const performed = (
  means: Means,
  { what, words }: Action & { readonly _tag: "Perform" },
  isGone: () => boolean = () => false
): Effect.Effect<Reply.Reply, Replicated.InvokeError> => performances[what](means, words, isGone)

interface Running extends Means {
  readonly run: <A, E>(effect: Effect.Effect<A, E>, onExit: (exit: Exit.Exit<A, E>) => void) => void
}

export const perform =
  (means: Running): Service["perform"] =>
  (action, done, isGone) =>
    means.run(performed(means, action, isGone), (exit) =>
      done(Exit.isSuccess(exit) ? exit.value : explain(exit.cause as Cause.Cause<Replicated.InvokeError>))
    )

type Performance = (
  means: Means,
  words: ReadonlyArray<string>,
  isGone: () => boolean
) => Effect.Effect<Reply.Reply, Replicated.InvokeError>

const one = (means: Means, words: ReadonlyArray<string>): Effect.Effect<Reply.Reply, Replicated.InvokeError> =>
  Effect.map(means.replicated.invoke({ steps: [{ _tag: "Run", words }] }), ([reply]) => reply!)

/** How often who waits for a lock asks again. */
const askEveryMillis = 20

const acquire: Performance = (means, words, isGone) =>
  Effect.gen(function* () {
    if (words.length > 4) return Reply.syntaxError
    const patience = Integers.parse(words[3]!)
    if (patience === undefined || patience < 0) return Reply.notAnInteger
    const deadline = (yield* Clock.currentTimeMillis) + patience
    return yield* Effect.acquireUseRelease(
      Effect.sync(() => means.lines.enter(words[1]!)),
      ({ turn }) => Effect.andThen(awaitTurn(turn, deadline), askUntil(means, words.slice(0, 3), deadline, isGone)),
      ({ leave }) => Effect.sync(leave)
    )
  })

const leftUntil = (deadline: number) => Effect.map(Clock.currentTimeMillis, (now) => Math.max(0, deadline - now))

const awaitTurn = (turn: Effect.Effect<void>, deadline: number) =>
  Effect.flatMap(leftUntil(deadline), (left) => Effect.timeoutOption(turn, left))

/** Who has gone away is not given the lock, nor keeps it. */
const askUntil = (means: Means, request: ReadonlyArray<string>, deadline: number, isGone: () => boolean) =>
  Effect.gen(function* () {
    while (!isGone()) {
      const reply = yield* one(means, request)
      if (reply._tag === "Integer" && isGone()) {
        yield* one(means, ["LOCK.RELEASE", request[1]!, String(reply.value)])
        break
      }
      const left = yield* leftUntil(deadline)
      if (reply._tag !== "Null" || left === 0) return reply
      yield* Effect.sleep(Math.min(askEveryMillis, left))
    }
    return Reply.none
  })

/**
 * How many have what was answered, besides one, for sure: maybe there are more, but those that are suspected were not waited
 * for. It is as safe as the way of replicating makes it, and waiting would tell nothing more.
 */
const wait: Performance = ({ replicated, settings }, words) => {
  if (Integers.parse(words[1]!) === undefined) return Effect.succeed(Reply.notAnInteger)
  if (Integers.parse(words[2]!) === undefined) {
    return Effect.succeed(Reply.failure("ERR timeout is not an integer or out of range"))
  }
  return Effect.map(replicated.status, ({ members }) =>
    Reply.integer(settings.writesReach === "majority" ? Math.floor(members.length / 2) : 0)
  )
}

const info: Performance = (means, words) =>
  Effect.gen(function* () {
    const { counters, replicated, settings, startedAt } = means
    const status = yield* replicated.status
    const size = yield* one(means, ["DBSIZE"])
    const seconds = Math.floor(((yield* Clock.currentTimeMillis) - startedAt) / 1000)
    const { heapUsed, rss } = process.memoryUsage()
    const sections: Readonly<Record<string, Readonly<Record<string, string | number>>>> = {
      server: {
        redis_version: redisVersion,
        redis_mode: "standalone",
        process_id: process.pid,
        tcp_port: settings.port,
        uptime_in_seconds: seconds
      },
      clients: { connected_clients: counters.connected, maxclients: settings.maxClients },
      memory: { used_memory: heapUsed, used_memory_rss: rss },
      persistence: { loading: 0 },
      stats: {
        total_connections_received: counters.connections,
        total_commands_processed: counters.commands,
        rejected_connections: counters.rejected
      },
      replication: {
        role: "master",
        connected_slaves: Math.max(0, status.members.length - 1),
        node: replicated.self,
        node_role: status.role,
        primary: status.primary ?? "",
        view: status.view,
        master_repl_offset: status.committed
      },
      keyspace: size._tag === "Integer" && size.value > 0 ? { db0: `keys=${size.value},expires=0,avg_ttl=0` } : {}
    }
    return Reply.bulk(
      render(
        sections,
        words.slice(1).map((word) => word.toLowerCase())
      )
    )
  })

const render = (
  sections: Readonly<Record<string, Readonly<Record<string, string | number>>>>,
  asked: ReadonlyArray<string>
): string => {
  const all = asked.length === 0 || asked.some((name) => ["all", "default", "everything"].includes(name))
  return Object.entries(sections)
    .filter(([name]) => all || asked.includes(name))
    .map(([name, fields]) => {
      const lines = Object.entries(fields).map(([field, value]) => `${field}:${value}\r\n`)
      return `# ${name[0]!.toUpperCase()}${name.slice(1)}\r\n${lines.join("")}`
    })
    .join("\r\n")
}

const performances: Readonly<Record<"INFO" | "WAIT" | "LOCK.ACQUIRE", Performance>> = {
  INFO: info,
  WAIT: wait,
  "LOCK.ACQUIRE": acquire
}
