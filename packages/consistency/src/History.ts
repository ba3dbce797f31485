/**
 * What clients saw of a service: operations that were invoked, and how they ended.
 *
 * As it is recorded, a history is a list of events in the order of one clock: `invoke` when a process calls, then `ok`
 * with the result, `fail` when the operation is known not to have happened, or `info` when that is not known: it may
 * take effect at any later time. A process does one thing at a time. As it is checked, a history is a list of operations,
 * each with the two places in the list at which it began and ended.
 *
 * @example
 * import { History } from "@troupe/consistency"
 *
 * const history = History.make([
 *   History.invoke("alice", "write", 1),
 *   History.invoke("bob", "read"),
 *   History.ok("bob", "read", 1),
 *   History.info("alice", "write")
 * ])
 * const [write, read] = history.operations
 * console.log(write?.input, write?.output, write?.returned) // 1 undefined Infinity
 * console.log(read?.output, read?.invoked, read?.returned) // 1 1 2
 */
import { Result, Schema } from "effect"
import { notEvent, record, text } from "./internal/Events.ts"
import { MalformedHistory } from "./internal/MalformedHistory.ts"
import { Pairing } from "./internal/Pairing.ts"

export { MalformedHistory } from "./internal/MalformedHistory.ts"

/** Arguments and results: plain JSON. `null` is "nothing": no argument, an absent value. */
export type Value = Schema.Json

/** One line of our own NDJSON. */
export const Event = Schema.Struct({
  /** Who calls. A process that ended with `info` may go on under its name: that operation stays open. */
  process: Schema.Union([Schema.String, Schema.Int]),
  type: Schema.Literals(["invoke", "ok", "fail", "info"]),
  /** The function: "read", "write", "cas", "enqueue", … as the specification names it. */
  f: Schema.String,
  /** Of a service that is made of independent parts, which part. */
  key: Schema.optionalKey(Schema.Union([Schema.String, Schema.Int])),
  /** The argument at `invoke`, the result at `ok`. */
  value: Schema.optionalKey(Schema.Json)
})
export type Event = typeof Event.Type

/** An operation: what was asked, what came of it, and between which two moments it took effect. */
export interface Operation {
  /** Its index in the history's operations, which are in the order of their invocations. */
  readonly id: number
  readonly process: string
  readonly f: string
  readonly key: string | undefined
  readonly input: Value
  /** `undefined` while it is not known: the operation is open. */
  readonly output: Value | undefined
  /** Its invocation's place in the order of all events; unique in the history. */
  readonly invoked: number
  /** Its completion's; `Infinity` of an operation that is open, which may have taken effect or not, or will later. */
  readonly returned: number
  /** Where it stands in its file: lines from 1, events from 0. */
  readonly source?: {
    readonly invokeLine: number
    readonly returnLine?: number
    readonly invokeIndex: number
    readonly returnIndex?: number
  }
}

export interface History {
  /** In the order of their invocations. Operations of one process do not overlap. Failed ones are left out. */
  readonly operations: ReadonlyArray<Operation>
}

/**
 * The operations of recorded events. `fail` leaves its operation out, `info` leaves it open, and so does the end. The
 * argument is the one of `invoke`, the result the one of `ok`.
 *
 * Fails where a process begins an operation before its last has ended, completes one that it has not invoked, or under
 * another function or key, and where an event is none.
 */
export const fromEvents = (events: Iterable<Event>): Result.Result<History, MalformedHistory> =>
  caught(() => {
    const pairing = new Pairing()
    for (const event of events) {
      const wrong = notEvent(event)
      if (wrong !== undefined) throw pairing.malformed(`is no event: ${wrong}.`, 0)
      record(pairing, event, 0)
    }
    return pairing.finish()
  })

/** As `fromEvents`, for histories that are written by hand: throws its error. */
export const make = (events: Iterable<Event>): History => Result.getOrThrow(fromEvents(events))

type Process = Event["process"]

const event =
  (type: Event["type"]) =>
  (process: Process, f: string, value?: Value, key?: Event["key"]): Event => ({
    process,
    type,
    f,
    ...(key !== undefined && { key }),
    ...(value !== undefined && { value })
  })

/** A process calls, with an argument. */
export const invoke = event("invoke")
/** The operation that the process invoked last came to an end, with a result. */
export const ok = event("ok")
/** It is known not to have happened. */
export const fail = event("fail")
/** It is not known whether it happened, or will. */
export const info = event("info")

/** An operation with the times at which it began and ended, of any unit. */
export interface Interval {
  readonly process: Process
  readonly f: string
  readonly key?: Event["key"]
  readonly input?: Value
  readonly output?: Value
  readonly from: number
  /** Left out of an operation that is open, as `output` is. */
  readonly to?: number
  readonly line?: number
}

interface Moment {
  readonly interval: Interval
  readonly at: number
  /** At one time: operations begin, then processes go on from one to their next, then operations end. */
  readonly turn: 0 | 1 | 2
  readonly begins: boolean
}

/**
 * The history of operations whose times are known. One is before another where it ended at an earlier time than the
 * other began: at equal times they overlap. Only operations of one process follow each other at one time; they are given
 * in its order.
 */
export const fromIntervals = (intervals: Iterable<Interval>): Result.Result<History, MalformedHistory> =>
  caught(() => {
    const pairing = new Pairing()
    for (const { interval, begins } of moments(intervals)) {
      const { f, line = 0 } = interval
      const process = `${interval.process}`
      if (!begins) {
        pairing.complete(process, "ok", f, interval.output ?? null, line)
        continue
      }
      pairing.invoke(process, f, text(interval.key), interval.input ?? null, line)
      if (endOf(interval) === Infinity) pairing.complete(process, "info", f, undefined, line)
    }
    return pairing.finish()
  })

const endOf = (interval: Interval): number => interval.to ?? Infinity

const moments = (intervals: Iterable<Interval>): ReadonlyArray<Moment> => {
  const moments: Array<Moment> = []
  const entries = Array.from(intervals, (interval, index) => ({ interval, index }))
  for (const own of Map.groupBy(entries, ({ interval }) => `${interval.process}`).values()) {
    own.forEach(({ interval, index }, i) => {
      const before = own[i - 1]?.interval
      const after = own[i + 1]?.interval
      const to = endOf(interval)
      if (!(interval.from <= to)) {
        throw misplaced(interval, index, `ends at ${to}, before it begins at ${interval.from}.`)
      }
      if (before !== undefined && interval.from < (endOf(before) === Infinity ? before.from : endOf(before))) {
        const [verb, at] = endOf(before) === Infinity ? ["begins", before.from] : ["ends", before.to]
        const rest = `begins at ${interval.from}, before the last of its process, "${before.f}", ${verb} at ${at}.`
        throw misplaced(interval, index, rest)
      }
      const follows = before !== undefined && before.to === interval.from
      const isFollowed = after !== undefined && after.from === to
      moments.push({ interval, at: interval.from, turn: follows ? 1 : 0, begins: true })
      if (to !== Infinity) moments.push({ interval, at: to, turn: isFollowed ? 1 : 2, begins: false })
    })
  }
  return moments.sort((a, b) => a.at - b.at || a.turn - b.turn)
}

const misplaced = ({ process, f, line }: Interval, index: number, rest: string): MalformedHistory =>
  new MalformedHistory({ reason: `"${f}" of process ${process} ${rest}`, index, ...(line !== undefined && { line }) })

/** As lines of `Event`s, with a line's end after each. `fromEvents` makes the same operations of them. */
export const toNdjson = (history: History): string => {
  const lines: Array<readonly [place: number, event: Event]> = []
  for (const operation of history.operations) {
    const { process, f, input, output, invoked, returned, key } = operation
    lines.push([invoked, invoke(process, f, input ?? undefined, key)])
    // Said at once: the process may go on.
    lines.push(returned === Infinity ? [invoked, info(process, f)] : [returned, ok(process, f, output, key)])
  }
  lines.sort(([a], [b]) => a - b)
  return lines.map(([, event]) => `${JSON.stringify(event)}\n`).join("")
}

const caught = (build: () => History): Result.Result<History, MalformedHistory> => {
  try {
    return Result.succeed(build())
  } catch (error) {
    if (error instanceof MalformedHistory) return Result.fail(error)
    throw error
  }
}
