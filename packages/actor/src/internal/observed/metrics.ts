/** What a system counts, as metrics that are read when somebody asks. */
import { Metric } from "effect"
import type { System } from "../system/System.ts"
import { census, type Census, type Waiting } from "./walk.ts"

/** Returns how to undo it. */
export const register = (system: System): (() => void) => {
  const { context, observation } = system
  const node = system.remote?.node
  const ours = { system: system.name, ...(node === undefined ? {} : { node }) }
  const registrations: Array<Metric.Registration> = []

  const counter = (name: string, description: string, read: () => number, more: Record<string, string> = {}): void => {
    const metric = Metric.counter(`troupe_actors_${name}`, {
      ...{ description, incremental: true },
      attributes: { ...ours, ...more }
    })
    const get = (): Metric.CounterState<number> => ({ count: read(), incremental: true })
    registrations.push(Metric.registerUnsafe(metric, context, { get, update: () => {}, modify: () => {} }))
  }
  const gauge = (name: string, description: string, read: () => number, more: Record<string, string> = {}): void => {
    const metric = Metric.gauge(`troupe_actors_${name}`, { description, attributes: { ...ours, ...more } })
    const get = (): Metric.GaugeState<number> => ({ value: read() })
    registrations.push(Metric.registerUnsafe(metric, context, { get, update: () => {}, modify: () => {} }))
  }

  const { counters, deadLetters, remote } = system
  counter("spawned", "Actors spawned", () => counters.spawned)
  counter("stopped", "Actors that are no more", () => counters.stopped)
  counter("processed", "Messages handled", () => counters.processed)
  counter("failures", "Handlers that failed", () => counters.failures)
  counter("restarts", "Restarts after a failure", () => counters.restarts)
  counter("ask_timeouts", "Questions not answered in time", () => counters.askTimeouts)
  for (const reason of ["stopped", "mailbox full", "not understood"] as const) {
    counter("dead_letters", "Messages that nobody took", () => deadLetters.counts[reason], { reason })
  }
  if (remote !== undefined) {
    counter("frames_sent", "Frames sent to other nodes", () => remote.counters.framesSent)
    counter("frames_received", "Frames received from other nodes", () => remote.counters.framesReceived)
  }
  gauge("asks_open", "Questions that wait for an answer", () => system.asksOpen)

  const looks = new Looks(system)
  gauge("alive", "Actors", () => looks.at("alive").actors)
  gauge("waiting", "Messages that wait in mailboxes", () => looks.at("waiting").messages)
  gauge("longest_mailbox", "Messages that wait in the longest mailbox", () => looks.at("longest").longest)
  const byMessages = (messages: string): void => {
    const of = (metric: string): Waiting => looks.at(`${metric} ${messages}`).by.get(messages) ?? nobody
    gauge("alive_by_messages", "Actors, by what they understand", () => of("alive").actors, { messages })
    gauge("waiting_by_messages", "Messages that wait, by what they are", () => of("waiting").messages, { messages })
    gauge("longest_mailbox_by_messages", "The same in the longest mailbox", () => of("longest").longest, { messages })
  }
  if (observation !== undefined) observation.onMessages = byMessages
  return () => {
    if (observation !== undefined) observation.onMessages = () => {}
    for (const registration of registrations) registration.remove()
  }
}

const nobody: Waiting = { actors: 0, messages: 0, longest: 0 }

/** One look at all actors serves each of the metrics once, within a second. */
class Looks {
  private readonly system: System
  private last: Census | undefined = undefined
  private sinceMillis = 0
  private readonly readers = new Set<string>()

  constructor(system: System) {
    this.system = system
  }

  at(reader: string): Census {
    const now = this.system.monotonicMillis()
    if (this.last === undefined || this.readers.has(reader) || now - this.sinceMillis > 1_000) {
      this.last = census(this.system.root)
      this.sinceMillis = now
      this.readers.clear()
    }
    this.readers.add(reader)
    return this.last
  }
}
