/**
 * Reads histories that were recorded elsewhere: Jepsen's and Knossos's EDN, the logs and stores of Porcupine, Violin's
 * calls and returns, the transactions of AWDIT and PolySI, and our own NDJSON.
 *
 * @example
 * import { Reader } from "@troupe/consistency"
 * import { Result } from "effect"
 *
 * const text = `
 * # @object atomic-queue
 * [1] call add(3)
 * [2] call remove
 * [1] return
 * [2] return 3
 * `
 * const [reading] = Result.getOrThrow(Reader.read(text, { file: "queue.log" }))
 * if (reading?._tag === "Operations") {
 *   console.log(reading.format, reading.specification?.name) // violin queue
 *   console.log(reading.history.operations.map(({ f }) => f)) // [ 'enqueue', 'dequeue' ]
 * }
 * @example
 * import { Reader } from "@troupe/consistency"
 * import { Result } from "effect"
 *
 * const outcome = Reader.read('[{:process 1, :type :invoke, :f :write, :value "one}]', { file: "run.edn" })
 * if (Result.isFailure(outcome)) console.log(outcome.failure._tag) // MalformedInput
 */
import { Result, Schema } from "effect"
import type { History, Value } from "./History.ts"
import { kind } from "./internal/Events.ts"
import { located, MalformedHistory } from "./internal/MalformedHistory.ts"
import { MalformedInput } from "./internal/MalformedInput.ts"
import { isAwditLine, readAwdit } from "./internal/readers/Awdit.ts"
import { isEtcdLine, readEtcdLog } from "./internal/readers/EtcdLog.ts"
import { readJepsenTransactions, readKnossos } from "./internal/readers/Knossos.ts"
import { readMemoryModels } from "./internal/readers/MemoryModels.ts"
import { readNdjson } from "./internal/readers/Ndjson.ts"
import { isPolySiLine, readPolySi } from "./internal/readers/PolySi.ts"
import { readPorcupineKv } from "./internal/readers/PorcupineKv.ts"
import { isViolinLine, readViolin } from "./internal/readers/Violin.ts"
import { lines, type Source } from "./internal/Source.ts"
import type { TransactionHistory } from "./Transactions.ts"

export { MalformedHistory } from "./internal/MalformedHistory.ts"
export { MalformedInput } from "./internal/MalformedInput.ts"

const readers = {
  /** An `Event` or a transaction a line. */
  ndjson: readNdjson,
  /** Maps of EDN, as Jepsen stores and Knossos checks them. */
  knossos: readKnossos,
  /** The same, with `:f :txn` only, as transactions. Never recognised: it has to be asked for. */
  "jepsen-txn": readJepsenTransactions,
  "etcd-log": readEtcdLog,
  "porcupine-kv": readPorcupineKv,
  violin: readViolin,
  awdit: readAwdit,
  polysi: readPolySi,
  /** Holds many histories. */
  "memory-models": readMemoryModels
} satisfies Record<string, (source: Source) => Reading | ReadonlyArray<Reading>>

export type Format = keyof typeof readers

export const formats = Object.keys(readers) as ReadonlyArray<Format>

/** A specification that fits a history, and the value that there is at first where the format says it. */
export interface Implied {
  readonly name: string
  readonly initial?: Value
}

/** A history of a file. */
export type Reading =
  | {
      readonly _tag: "Operations"
      readonly format: Format
      /** Which of its file's, in a format that holds several. */
      readonly id?: string
      readonly history: History
      readonly specification?: Implied
    }
  | {
      readonly _tag: "Transactions"
      readonly format: Format
      readonly id?: string
      readonly history: TransactionHistory
    }

/** A file is no history of a format that is known. */
export class UnknownFormat extends Schema.TaggedError<UnknownFormat>()("UnknownFormat", {
  /** How it begins. */
  found: Schema.String,
  formats: Schema.Array(Schema.String),
  file: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    return (
      `${located(this.file)}no history that is known: it ${this.found}. ` +
      `Formats are ${this.formats.join(", ")}; name one where it is not recognised.`
    )
  }
}

export type ReadError = UnknownFormat | MalformedInput | MalformedHistory

export interface Options {
  /** Default: recognised. */
  readonly format?: Format
  /** Its name, for recognising and for errors. */
  readonly file?: string
}

/**
 * The histories of a text: one, but of formats that hold several. Without a format it is recognised; an empty text is
 * an empty history where the format is given, and of no format where it is not.
 */
export const read = (text: string, options: Options = {}): Result.Result<ReadonlyArray<Reading>, ReadError> => {
  const { file } = options
  const format = options.format ?? recognise(text, file)
  if (format === undefined) {
    return Result.fail(new UnknownFormat({ found: beginning(text), formats, ...(file !== undefined && { file }) }))
  }
  const source: Source = { text: text.startsWith(byteOrderMark) ? ` ${text.slice(1)}` : text, format, file }
  try {
    const readings = readers[format](source)
    return Result.succeed("_tag" in readings ? [readings] : readings)
  } catch (error) {
    if (error instanceof MalformedInput || error instanceof MalformedHistory) return Result.fail(error)
    throw error
  }
}

const byteOrderMark = "\uFEFF"

const beginning = (text: string): string => {
  const first = lines(text).next()
  return first.done === true ? "is empty" : `begins with ${kind(first.value.text)}`
}

/** How many characters of a text are looked at to recognise it. */
const recognisedWithin = 65_536

/** The format of a text, by how it begins; where that does not tell, by the end of its file's name. None of an empty one. */
export const recognise = (text: string, file?: string): Format | undefined => {
  const head = text.slice(0, recognisedWithin)
  if (head.includes("jepsen.util")) {
    for (const { text: line } of lines(head)) if (isEtcdLine(line)) return "etcd-log"
  }
  if (/^[^\S\n]*#.*@object\b/m.test(head)) return "violin"
  for (const { text: line } of lines(head)) {
    if (/^#(?:\s|$)/.test(line)) continue
    return byLine(line) ?? ednFormat(head) ?? byName(file)
  }
  return undefined
}

const byLine = (line: string): Format | undefined => {
  if (isViolinLine(line)) return "violin"
  if (isPolySiLine(line)) return "polysi"
  if (isAwditLine(line)) return "awdit"
  if (!/^\{\s*"/.test(line)) return undefined
  if (/"procs"\s*:/.test(line)) return "memory-models"
  return /"(?:process|accesses)"\s*:/.test(line) ? "ndjson" : undefined
}

const ednFormat = (head: string): Format | undefined => {
  if (!/^\s*[[({;#]/.test(head) || !/:process\s/.test(head)) return undefined
  return /:key\s/.test(head) && /:f\s+:(?:get|put|append)\b/.test(head) ? "porcupine-kv" : "knossos"
}

const byName = (file: string | undefined): Format | undefined => {
  if (file === undefined) return undefined
  if (file.endsWith(".edn")) return "knossos"
  return /\.(?:ndjson|jsonl)$/.test(file) ? "ndjson" : undefined
}
