/**
 * What the clients do: they read, write, compare and set, count and append, on a few keys at a time.
 *
 * A call that nobody knows the end of stays open for ever, and each that is open doubles what has to be tried to judge its
 * key. So keys are left for new ones every few seconds.
 */
import type { History } from "@troupe/consistency"
import { Effect, Option } from "effect"
import { seeded } from "../Seeded.ts"
import { Connection, type Lost, Refusal, type Reply } from "./Connection.ts"
import { type Call, type Outcome, type Recorder, reads, serviceOf, services } from "./Recorder.ts"

export interface Options {
  readonly clients: number
  readonly seed: number
  /** Calls a second, of all clients together, at the most. */
  readonly rate: number
  /** Of the nodes. */
  readonly ports: ReadonlyArray<number>
}

/** How long a lock is held. */
const leaseMillis = "100"
/** How long keys are used. */
const epochMillis = 4_000
/** After so long a client gives a call up. */
const patienceMillis = 3_000
/** At the end, when nothing should be in its way. */
const readPatienceMillis = 10_000
/** Of the calls after which a client moves on to another node: all are to be asked. */
const wanders = 0.01
/**
 * Of the failed calls after which a client moves on. The first half of the clients are faithful: who goes on at a node that
 * stands still or is cut off sees what that one says when it is back.
 */
const leaves = { faithful: 0.1, other: 1 }
/** Before a client that found no node looks for another. */
const pauseMillis = 50

/** Keys of an epoch. */
const places = (
  [
    ["registers", 3],
    ["counters", 2],
    ["texts", 2],
    ["locks", 1]
  ] as const
).flatMap(([service, count]) =>
  Array.from({ length: count }, (_, place) => ({ service, prefix: services[service].prefix, place }))
)

interface Client {
  readonly index: number
  /** Its number in the history: another one after each call whose end is not known. */
  process: number
  /** Counts what it writes: no two values are the same. */
  written: number
  /** What it has seen last of each register. */
  readonly seen: Map<string, History.Value>
  readonly random: () => number
  readonly isFaithful: boolean
  node: number
  connection: Connection | undefined
}

/** All clients, for as long as `goesOn`. */
export const run = (options: Options, recorder: Recorder, goesOn: () => boolean): Effect.Effect<void> =>
  Effect.forEach(
    Array.from({ length: options.clients }, (_, index) => index),
    (index) => Effect.suspend(() => life(clientOf(index, options), options, recorder, goesOn)),
    { concurrency: "unbounded", discard: true }
  )

const clientOf = (index: number, { clients, ports, seed }: Options): Client => ({
  index,
  process: index,
  written: 0,
  seen: new Map(),
  random: seeded(seed * 1_000 + index),
  isFaithful: index < Math.floor(clients / 2),
  node: index % ports.length,
  connection: undefined
})

const life = (client: Client, options: Options, recorder: Recorder, goesOn: () => boolean): Effect.Effect<void> =>
  Effect.gen(function* () {
    const meanMillis = (1_000 * options.clients) / options.rate
    while (goesOn()) {
      yield* Effect.sleep(Math.min(1_000, -Math.log(1 - client.random()) * meanMillis))
      const connection = yield* connected(client, options.ports)
      if (connection !== undefined) yield* once(client, connection, options, recorder)
    }
  }).pipe(Effect.ensuring(Effect.sync(() => client.connection?.close())))

/** To the node that it was at, or the next. */
const connected = (client: Client, ports: ReadonlyArray<number>): Effect.Effect<Connection | undefined> =>
  Effect.gen(function* () {
    const { connection } = client
    if (connection !== undefined && !connection.isOver) return connection
    const opened = yield* Effect.option(Effect.timeoutOption(Connection.open(ports[client.node]!), patienceMillis))
    client.connection = Option.getOrUndefined(Option.flatten(opened))
    if (client.connection === undefined) {
      if (!client.isFaithful || client.random() < leaves.faithful) moveOn(client, ports.length)
      yield* Effect.sleep(pauseMillis)
    }
    return client.connection
  })

const chanceToLeave = ({ isFaithful }: Client, { type }: Outcome): number => {
  if (type === "ok") return wanders
  return isFaithful ? leaves.faithful : leaves.other
}

const hangUp = (client: Client): void => {
  client.connection?.close()
  client.connection = undefined
}

const moveOn = (client: Client, nodes: number): void => {
  hangUp(client)
  client.node = (client.node + 1) % nodes
}

const once = (client: Client, connection: Connection, options: Options, recorder: Recorder): Effect.Effect<void> =>
  Effect.gen(function* () {
    const call = choose(client, Math.floor(recorder.elapsedMillis / epochMillis))
    const ended = recorder.invoke(client.process, call)
    const outcome = yield* perform(connection, call).pipe(
      Effect.timeoutOption(patienceMillis),
      Effect.map(Option.getOrElse(() => unknown(call, "no answer in time"))),
      Effect.catchTag("Lost", () => Effect.succeed(unknown(call, "the connection was lost"))),
      Effect.onInterrupt(() => Effect.sync(() => ended(unknown(call, "the run was ended"))))
    )
    ended(outcome)
    if (outcome.type === "info") client.process += options.clients
    if (client.random() < chanceToLeave(client, outcome)) moveOn(client, options.ports.length)
    // Half a conversation is none.
    else if (outcome.type !== "ok") hangUp(client)
    if (outcome.type === "ok" && call.f === "read") client.seen.set(call.key, outcome.value ?? null)
  })

/** What a key holds, as the history has it. */
export const readOnce = (
  connection: Connection,
  process: number,
  key: string,
  recorder: Recorder
): Effect.Effect<Outcome, Lost> =>
  Effect.suspend(() => {
    const service = serviceOf(key)
    const call: Call = { service, f: service === "texts" ? "get" : "read", key }
    const ended = recorder.invoke(process, call)
    return perform(connection, call).pipe(
      Effect.timeoutOption(readPatienceMillis),
      Effect.map(Option.getOrElse(() => unknown(call, "no answer in time"))),
      Effect.tapError(() => Effect.sync(() => ended(unknown(call, "the connection was lost")))),
      Effect.tap((outcome) => Effect.sync(() => ended(outcome)))
    )
  })

/** A read that nobody knows the end of has changed nothing. */
const unknown = (call: Call, why: string): Outcome => ({ type: reads(call) ? "fail" : "info", why })

const choose = (client: Client, epoch: number): Call => {
  const { random } = client
  const { place, prefix, service } = places[Math.floor(random() * places.length)]!
  const key = `${prefix}${epoch}-${place}`
  const draw = random()
  const value = (): number => ++client.written * 100 + client.index
  switch (service) {
    case "registers": {
      const seen = client.seen.get(key) ?? null
      if (draw < 0.4 || (draw < 0.7 && seen === null)) return { service, f: "read", key }
      return draw < 0.7
        ? { service, f: "cas", key, input: [seen, value()] }
        : { service, f: "write", key, input: value() }
    }
    case "counters":
      if (draw < 0.4) return { service, f: "read", key }
      return { service, f: "fetch-and-add", key, input: 1 + Math.floor(random() * 3) }
    case "texts":
      return draw < 0.4 ? { service, f: "get", key } : { service, f: "append", key, input: `${value()};` }
    case "locks":
      return { service, f: "acquire", key }
  }
}

const perform = (connection: Connection, call: Call): Effect.Effect<Outcome, Lost> => {
  const { f, input, key } = call
  const one = (words: ReadonlyArray<string>, value: (reply: Reply) => History.Value | undefined) =>
    Effect.map(connection.ask(words), ([reply]) => outcomeOf(call, reply!, value))
  switch (f) {
    case "read":
      return one(["GET", key], numberOf(call))
    case "get":
      return one(["GET", key], (reply) => (reply ?? "") as string)
    case "write":
      return one(["SET", key, `${input as number}`], () => undefined)
    case "append":
      return one(["APPEND", key, input as string], () => undefined)
    case "fetch-and-add":
      return one(["INCRBY", key, `${input as number}`], (reply) => (reply as number) - (input as number))
    case "acquire":
      return one(["LOCK.ACQUIRE", key, leaseMillis], (reply) => reply as number | null)
    case "cas":
      return compareAndSet(connection, call, input as readonly [History.Value, History.Value])
  }
}

/** Of a key that is not there: a counter's is 0. */
const numberOf =
  ({ service }: Call) =>
  (reply: Reply): History.Value =>
    reply === null ? (service === "counters" ? 0 : null) : Number(reply)

const outcomeOf = (call: Call, reply: Reply, value: (reply: Reply) => History.Value | undefined): Outcome => {
  if (reply instanceof Refusal) {
    // What says that nothing was changed is believed, and checked by that.
    const isRefused = reply.kind === "CLUSTERDOWN" || reply.kind === "REFUSED"
    return isRefused
      ? { type: "fail", why: reply.kind }
      : unknown(call, reply.kind === "INDOUBT" ? "INDOUBT" : reply.text)
  }
  const told = value(reply)
  return told === undefined ? { type: "ok" } : { type: "ok", value: told }
}

/** As Redis has it: the key is watched, read, and written in a transaction that is void if it has changed meanwhile. */
const compareAndSet = (
  connection: Connection,
  call: Call,
  [expected, next]: readonly [History.Value, History.Value]
): Effect.Effect<Outcome, Lost> =>
  Effect.gen(function* (): Effect.fn.Return<Outcome, Lost> {
    const [watched, found] = yield* connection.ask(["WATCH", call.key], ["GET", call.key])
    const refused = [watched, found].find((reply) => reply instanceof Refusal)
    // Nothing is written yet.
    if (refused !== undefined) return { type: "fail", why: refused.kind }
    if (numberOf(call)(found!) !== expected) {
      yield* connection.ask(["UNWATCH"])
      return { type: "ok", value: false }
    }
    const replies = yield* connection.ask(["MULTI"], ["SET", call.key, `${next as number}`], ["EXEC"])
    // No value is written twice: in between it was another one.
    return outcomeOf(call, replies[2]!, (reply) => reply !== null)
  })
