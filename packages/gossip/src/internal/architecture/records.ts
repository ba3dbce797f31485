/** The update log, the value, and the table of what was executed: how a record enters them, and how it leaves. */
import type { Application } from "./application.ts"
import type { LogRecord, UpdateRecord } from "./messages.ts"
import type { Act, Client, Executed, Replica } from "./state.ts"
import { covers, height, type Timestamp, withPart } from "./timestamps.ts"

export type Any = Application<any, any, any, any>

/** A record's timestamp: what it depends on, and itself. An acknowledgement is before and after nothing. */
export const timestampOf = (record: Exclude<LogRecord, { readonly _tag: "Ack" }>): Timestamp =>
  withPart(record.prev, record.part, record.number)

const nobody: Client = { answered: 0, settled: 0, time: 0, updates: [] }

/** Where the update of that sequence number is, or would be. */
const placeOf = ({ updates }: Client, sequence: number): number => {
  let place = updates.length
  while (place > 0 && updates[place - 1]!.sequence >= sequence) place--
  return place
}

export const executedOf = (client: Client | undefined, sequence: number): Executed | undefined => {
  const found = client?.updates[placeOf(client, sequence)]
  return found?.sequence === sequence ? found : undefined
}

const withUpdate = (client: Client, update: Executed): Client => {
  const place = placeOf(client, update.sequence)
  const isNew = client.updates[place]?.sequence !== update.sequence
  return { ...client, updates: client.updates.toSpliced(place, isNew ? 0 : 1, update) }
}

/** The client as of a record that mentions it. */
const mentioned = (client: Client = nobody, record: Exclude<LogRecord, { readonly _tag: "Nothing" }>): Client => {
  const said = {
    ...client,
    answered: Math.max(client.answered, record.answered),
    time: Math.max(client.time, record.time)
  }
  if (record._tag === "Ack") return said
  const { sequence, time } = record
  const before = executedOf(said, sequence)
  return withUpdate(
    said,
    before === undefined
      ? { sequence, time, timestamp: timestampOf(record), isExecuted: false, inLog: 1 }
      : { ...before, inLog: before.inLog + 1 }
  )
}

/** Whether a record is the next of its part. */
export const isNext = ({ timestamp }: Replica, { number, part }: LogRecord): boolean => timestamp[part]! + 1 === number

/** A replica into whose log records come, a batch at a time, and then are executed as far as their causes are. */
export class Batch {
  private readonly application: Any
  private readonly clients: Map<string, Client>
  private readonly log: Array<ReadonlyArray<LogRecord>>
  /** Parts of the log that are copies already. */
  private readonly copies: Array<Array<LogRecord> | undefined> = []
  private readonly fresh: Array<LogRecord> = []
  private replica: Replica

  constructor(application: Any, replica: Replica) {
    this.application = application
    this.replica = replica
    this.clients = new Map(replica.clients)
    this.log = [...replica.log]
  }

  /** Takes a record, if it is the next of its part. */
  add(record: LogRecord): boolean {
    const { number, part } = record
    if (!isNext(this.replica, record)) return false
    const isAgreed = part === this.replica.log.length - 1 && record._tag !== "Ack"
    const agreed = isAgreed ? timestampOf(record) : this.replica.agreed
    const floor = isAgreed && record._tag === "Update" && record.order === "immediate" ? agreed : this.replica.floor
    const copy = (this.copies[part] ??= this.log[part]!.slice())
    copy.push(record)
    this.log[part] = copy
    this.replica = { ...this.replica, timestamp: withPart(this.replica.timestamp, part, number), agreed, floor }
    if (record._tag !== "Nothing") this.clients.set(record.client, mentioned(this.clients.get(record.client), record))
    this.fresh.push(record)
    return true
  }

  /** The replica with them, and with all that is ready executed. */
  done(): Replica {
    if (this.fresh.length === 0) return this.replica
    // Causes have lower timestamps. So one pass in this order executes all that is ready, and nothing before its cause.
    const order = [...this.replica.waiting, ...this.fresh]
    if (order.length > 1) order.sort((a, b) => heightOf(a) - heightOf(b))
    let { value, valueTimestamp } = this.replica
    const waiting: Array<LogRecord> = []
    for (const record of order) {
      if (record._tag !== "Ack" && !covers(valueTimestamp, record.prev)) {
        waiting.push(record)
        continue
      }
      valueTimestamp = withPart(valueTimestamp, record.part, Math.max(valueTimestamp[record.part]!, record.number))
      if (record._tag === "Update" && this.isFirst(record)) value = this.application.apply(value, record.update)
    }
    return { ...this.replica, log: this.log, clients: this.clients, value, valueTimestamp, waiting }
  }

  /** Notes that the update is executed; whether it was not yet, by way of another record. */
  private isFirst({ client: name, sequence }: UpdateRecord): boolean {
    const client = this.clients.get(name)
    const update = executedOf(client, sequence)
    if (client === undefined || update === undefined || update.isExecuted) return false
    this.clients.set(name, withUpdate(client, { ...update, isExecuted: true }))
    return true
  }
}

const heightOf = (record: LogRecord): number => (record._tag === "Ack" ? 0 : height(record.prev))

/** Takes those of the records that are the next of their parts, and makes them durable. */
export const admit = (application: Any, replica: Replica, records: Iterable<LogRecord>, act: Act): Replica => {
  const batch = new Batch(application, replica)
  for (const record of records) if (batch.add(record)) act.persist({ _tag: "Logged", record })
  return batch.done()
}

// -------------------------------------------------------------------------------------------------------------- pruning

const isExecuted = (record: LogRecord, valueTimestamp: Timestamp): boolean =>
  record._tag === "Ack" || covers(valueTimestamp, record.prev)

/**
 * Leaves out of the log what every replica manager has, and of the executed-operation table what nobody will ask for again:
 * updates that their front ends will not repeat, as every replica manager knows, and that have no record in the log.
 *
 * `stable` is what every replica manager has.
 */
export const prune = (replica: Replica, stable: Timestamp): Replica => {
  const { valueTimestamp } = replica
  let clients: Map<string, Client> | undefined
  let log: Array<ReadonlyArray<LogRecord>> | undefined
  for (const [part, records] of replica.log.entries()) {
    let known = 0
    while (
      known < records.length &&
      records[known]!.number <= stable[part]! &&
      isExecuted(records[known]!, valueTimestamp)
    ) {
      known++
    }
    if (known === 0) continue
    clients ??= new Map(replica.clients)
    log ??= [...replica.log]
    log[part] = records.slice(known)
    for (const record of records.slice(0, known)) forget(clients, record)
  }
  return clients === undefined || log === undefined ? replica : { ...replica, log, clients }
}

/** A record leaves the log. */
const forget = (clients: Map<string, Client>, record: LogRecord): void => {
  if (record._tag === "Nothing") return
  const client = clients.get(record.client)
  if (client === undefined) return
  const settled = Math.max(client.settled, record.answered)
  const update = record._tag === "Update" ? executedOf(client, record.sequence) : undefined
  const left = update === undefined ? client : withUpdate(client, { ...update, inLog: update.inLog - 1 })
  clients.set(record.client, { ...left, settled, updates: left.updates.filter(isNeeded(settled)) })
}

const isNeeded =
  (settled: number) =>
  ({ inLog, sequence }: Executed): boolean =>
    sequence > settled || inLog > 0

/**
 * Leaves out front ends that are silent. A request of theirs that still comes is refused for its age: by this node, when
 * its clock is later than the client's time by δ; by all, when all their clocks are, which then needs no acknowledgement.
 *
 * `clock` is a time that the clocks of all replica managers have passed.
 */
export const forgetSilent = (replica: Replica, clock: number, delayMillis: number): Replica => {
  let clients: Map<string, Client> | undefined
  for (const [name, client] of replica.clients) {
    const updates = client.updates.filter(({ inLog, time }) => inLog > 0 || time + delayMillis >= clock)
    const isSilent = updates.length === 0 && client.time + delayMillis < replica.clock
    if (updates.length === client.updates.length && !isSilent) continue
    clients ??= new Map(replica.clients)
    if (isSilent) clients.delete(name)
    else clients.set(name, { ...client, updates })
  }
  return clients === undefined ? replica : { ...replica, clients }
}
