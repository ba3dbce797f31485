/** What clients saw, as it is judged and as it is counted. */
import type { History } from "@troupe/consistency"
import { createWriteStream, mkdirSync, type WriteStream } from "node:fs"
import { join } from "node:path"

/** What a key is: with what `troupe verify` calls it, if it does, and what a key of that kind begins with. */
export const services = {
  registers: { data: "cas-register", prefix: "r" },
  counters: { data: "counter", prefix: "c" },
  texts: { data: "key-value", prefix: "t" },
  locks: { data: undefined, prefix: "l" }
} as const
export type Service = keyof typeof services

export const serviceOf = (key: string): Service =>
  (Object.keys(services) as ReadonlyArray<Service>).find((service) => key.startsWith(services[service].prefix))!

export interface Call {
  readonly service: Service
  readonly f: "read" | "write" | "cas" | "fetch-and-add" | "get" | "append" | "acquire"
  readonly key: string
  readonly input?: History.Value
}

export const reads = ({ f }: Pick<Call, "f">): boolean => f === "read" || f === "get"

/** What found another value, or a lock held, has written nothing. */
const hasRead = (call: Call, outcome: Outcome): boolean =>
  reads(call) || (outcome.type === "ok" && (outcome.value === false || outcome.value === null))

/** How a call ended: `fail`, it is known not to have happened; `info`, it may have. */
export type Outcome =
  | { readonly type: "ok"; readonly value?: History.Value }
  | { readonly type: "fail" | "info"; readonly why: string }

/** A call that has ended, for the figures. In milliseconds since the clients began. */
export interface Sample {
  readonly fromMillis: number
  readonly toMillis: number
  readonly type: Outcome["type"]
  /** Whether it has changed nothing. */
  readonly isRead: boolean
}

export class Recorder {
  /** In the order of this process, which is that of the clients' times. */
  readonly events = new Map<string, Array<History.Event>>()
  readonly samples: Array<Sample> = []
  /** Why calls failed, and how often. */
  readonly reasons = new Map<string, number>()
  private readonly files: Readonly<Record<Service, { readonly ndjson: WriteStream; readonly edn?: WriteStream }>>
  private startedAt = performance.now()
  private count = 0
  private closed: Promise<unknown> | undefined

  constructor(directory: string) {
    const histories = join(directory, "history")
    mkdirSync(histories, { recursive: true })
    const file = (service: Service) => ({
      ndjson: createWriteStream(join(histories, `${service}.ndjson`)),
      edn: createWriteStream(join(histories, `${service}.edn`))
    })
    this.files = {
      ...{ registers: file("registers"), counters: file("counters"), texts: file("texts") },
      // Their answers go by time, which no model of consistency knows.
      locks: { ndjson: createWriteStream(join(directory, "locks.ndjson")) }
    }
  }

  /** Times are counted from here. */
  begin(): void {
    this.startedAt = performance.now()
  }

  get elapsedMillis(): number {
    return performance.now() - this.startedAt
  }

  /** A client begins; what is returned takes how it ended. */
  invoke(process: number, call: Call): (outcome: Outcome) => void {
    const fromMillis = this.elapsedMillis
    this.write(process, call, "invoke", call.input)
    return (outcome) => {
      const { type } = outcome
      this.samples.push({ fromMillis, toMillis: this.elapsedMillis, type, isRead: hasRead(call, outcome) })
      if (outcome.type === "ok") this.write(process, call, "ok", outcome.value)
      else {
        this.write(process, call, outcome.type, undefined)
        this.reasons.set(outcome.why, (this.reasons.get(outcome.why) ?? 0) + 1)
      }
    }
  }

  private write(process: number, call: Call, type: History.Event["type"], value: History.Value | undefined): void {
    const { f, key, service } = call
    const event: History.Event = { process, type, f, key, ...(value === undefined ? {} : { value }) }
    const own = this.events.get(key)
    if (own === undefined) this.events.set(key, [event])
    else own.push(event)
    const { edn, ndjson } = this.files[service]
    ndjson.write(`${JSON.stringify(event)}\n`)
    edn?.write(`${ednOf(event, call, this.count++, this.elapsedMillis)}\n`)
  }

  readonly close = (): Promise<unknown> => (this.closed ??= this.end())

  private end(): Promise<unknown> {
    return Promise.all(
      Object.values(this.files)
        .flatMap(({ edn, ndjson }) => (edn === undefined ? [ndjson] : [edn, ndjson]))
        .map((file) => new Promise<void>((resolve) => file.end(resolve)))
    )
  }
}

/**
 * As Jepsen stores it, for Knossos: there a completion repeats the argument, and a compare-and-set that found another value
 * has failed.
 */
const ednOf = (event: History.Event, call: Call, index: number, millis: number): string => {
  const { f, key, process, type, value = null } = event
  const isRefused = f === "cas" && type === "ok" && value === false
  const shown = type !== "invoke" && (f === "cas" || f === "write" || f === "append") ? (call.input ?? null) : value
  const time = Math.round(millis * 1e6)
  return (
    `{:process ${process}, :type :${isRefused ? "fail" : type}, :f :${f}, :key ${JSON.stringify(key)}, ` +
    `:value ${ednValue(shown)}, :time ${time}, :index ${index}}`
  )
}

const ednValue = (value: History.Value): string => {
  if (value === null) return "nil"
  return Array.isArray(value) ? `[${value.map(ednValue).join(" ")}]` : JSON.stringify(value)
}
