/**
 * Gathers the steps of all clients that come in one turn of the event loop into one request, so that they share a round of
 * replication and a flush of the disk. Reads go apart, where no write holds them up.
 *
 * Steps of one call stay in their order; a client waits for one call before the next, which keeps its own order.
 */
import type { Replicated } from "@troupe/replication"
import { Cause, type Effect, Exit, Option } from "effect"
import { commands } from "../commands/all.ts"
import type { Request, Response, Step } from "../KeyspaceMachine.ts"
import * as Reply from "../Reply.ts"
import type { Counters } from "./Counters.ts"
import type { Settings } from "./Settings.ts"

type Done = (replies: ReadonlyArray<Reply.Reply>) => void

interface Entry {
  readonly steps: ReadonlyArray<Step>
  readonly replies: Array<Reply.Reply>
  readonly done: Done
}

/** Bounds of a request that has more than one entry. */
const maxSteps = 4_096
const maxBytes = 1024 * 1024
/** Requests under way at a time, of each kind. */
const maxUnderWay = 16

class Lane {
  queue: Array<Entry> = []
  underWay = 0
}

export class Batcher {
  private readonly replicated: Replicated.Replicated<Request, Response>
  private readonly counters: Counters
  private readonly run: <A, E>(effect: Effect.Effect<A, E>, onExit: (exit: Exit.Exit<A, E>) => void) => void
  private readonly writes: Settings["writes"]
  private readonly reading = new Lane()
  private readonly writing = new Lane()
  private isScheduled = false

  constructor(
    replicated: Replicated.Replicated<Request, Response>,
    counters: Counters,
    run: <A, E>(effect: Effect.Effect<A, E>, onExit: (exit: Exit.Exit<A, E>) => void) => void,
    { writes }: Pick<Settings, "writes">
  ) {
    this.replicated = replicated
    this.counters = counters
    this.run = run
    this.writes = writes
  }

  /** `done` gets a reply for each step. */
  submit(steps: ReadonlyArray<Step>, done: Done): void {
    let written = 0
    for (const step of steps) if (!reads(step)) written++
    this.counters.writes += written
    this.counters.reads += steps.length - written
    const entry = { steps, replies: [], done }
    if (written > 0 && this.writes === "apart") return this.request(this.writing, [entry])
    const lane = written === 0 ? this.reading : this.writing
    lane.queue.push(entry)
    this.schedule()
  }

  private schedule(): void {
    if (this.isScheduled) return
    this.isScheduled = true
    setImmediate(() => {
      this.isScheduled = false
      this.flush(this.reading)
      this.flush(this.writing)
    })
  }

  private flush(lane: Lane): void {
    while (lane.queue.length > 0 && lane.underWay < maxUnderWay) this.request(lane, take(lane))
  }

  private request(lane: Lane, entries: ReadonlyArray<Entry>): void {
    const steps = entries.flatMap((entry) =>
      entry.replies.length > 0 ? entry.steps.slice(entry.replies.length) : entry.steps
    )
    lane.underWay++
    this.counters.batches++
    this.run(this.replicated.invoke({ steps }), (exit) => {
      lane.underWay--
      if (Exit.isSuccess(exit)) this.deliver(lane, entries, exit.value)
      else this.fail(entries, explain(exit.cause))
      if (lane.queue.length > 0) this.schedule()
    })
  }

  /** There may be fewer replies than steps: the rest is asked for again, before what came later. */
  private deliver(lane: Lane, entries: ReadonlyArray<Entry>, response: Response): void {
    let next = 0
    const unfinished: Array<Entry> = []
    for (const entry of entries) {
      while (entry.replies.length < entry.steps.length && next < response.length) entry.replies.push(response[next++]!)
      if (entry.replies.length === entry.steps.length) entry.done(entry.replies)
      else unfinished.push(entry)
    }
    if (unfinished.length === 0) return
    if (lane === this.writing && this.writes === "apart") this.request(lane, unfinished)
    else lane.queue = [...unfinished, ...lane.queue]
  }

  private fail(entries: ReadonlyArray<Entry>, reply: Reply.Reply): void {
    for (const { done, replies, steps } of entries) {
      this.counters.failures += steps.length - replies.length
      while (replies.length < steps.length) replies.push(reply)
      done(replies)
    }
  }
}

/** The entries of the next request. */
const take = (lane: Lane): ReadonlyArray<Entry> => {
  let bytes = 0
  let count = 0
  let taken = 0
  for (const { replies, steps } of lane.queue) {
    count += steps.length - replies.length
    for (let i = replies.length; i < steps.length; i++) bytes += sizeOf(steps[i]!)
    if (taken > 0 && (count > maxSteps || bytes > maxBytes)) break
    taken++
  }
  return lane.queue.splice(0, taken)
}

const reads = (step: Step): boolean =>
  step._tag === "Run" ? commands.get(step.words[0]!)?.writes === false : step._tag === "Watch"

const sizeOf = (step: Step): number => {
  switch (step._tag) {
    case "Run":
      return lengthOf(step.words)
    case "Watch":
      return lengthOf(step.keys)
    case "Transaction":
      return step.commands.reduce((sum, words) => sum + lengthOf(words), 0)
  }
}

const lengthOf = (words: ReadonlyArray<string>): number => {
  let bytes = 0
  for (const word of words) bytes += word.length + 8
  return bytes
}

/** Why there is no answer, with a first word that tells the kinds apart. */
export const explain = (cause: Cause.Cause<Replicated.InvokeError>): Reply.Reply => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  switch (error?._tag) {
    case "Unavailable":
      return Reply.failure(`CLUSTERDOWN ${error.message}`)
    case "InDoubt":
      return Reply.failure(`INDOUBT ${error.message}`)
    case "Refused":
      return Reply.failure(`REFUSED ${error.message}`)
    case undefined:
      return Reply.failure("ERR the server is shutting down, or has failed. It may have been executed.")
  }
}
