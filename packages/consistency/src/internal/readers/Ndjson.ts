import type { Event, Value } from "../../History.ts"
import type { Reading } from "../../Reader.ts"
import type { Access, Transaction } from "../../Transactions.ts"
import { isName, kind, notEvent, record } from "../Events.ts"
import { parseLine } from "../Json.ts"
import { Pairing } from "../Pairing.ts"
import { type Line, lines, malformed, type Source } from "../Source.ts"
import { TransactionDrafts } from "../TransactionDrafts.ts"
import { impliedBy } from "./Implied.ts"

/** Our own: an `Event` a line, or a transaction a line, as `{"session":0,"accesses":[["w","x",1],["r","y",null]]}`. */
export const readNdjson = (source: Source): Reading => {
  const first = lines(source.text).next().value as Line | undefined
  const given = first === undefined ? undefined : parseLine(source, first)
  const isTransaction = typeof given === "object" && given !== null && "accesses" in given
  return isTransaction ? readTransactions(source) : readOperations(source)
}

const wrong = (source: Source, line: Line, what: string, expected: string): never => {
  throw malformed(source, line.number, line.column, what, expected)
}

const readOperations = (source: Source): Reading => {
  const pairing = new Pairing(source.file)
  const functions = new Set<string>()
  for (const line of lines(source.text)) {
    const given = parseLine(source, line)
    const why = notEvent(given)
    if (why !== undefined) wrong(source, line, `a line that is no event: ${why}`, eventExample)
    const event = given as Event
    functions.add(event.f)
    record(pairing, event, line.number)
  }
  const specification = impliedBy(functions)
  const history = pairing.finish()
  return { _tag: "Operations", format: "ndjson", history, ...(specification !== undefined && { specification }) }
}

const eventExample = `an event, as {"process":1,"type":"invoke","f":"write","value":3}`

const readTransactions = (source: Source): Reading => {
  const transactions = new TransactionDrafts()
  for (const line of lines(source.text)) {
    const given = parseLine(source, line)
    if (typeof given !== "object" || given === null) wrong(source, line, kind(given), transactionExample)
    const { session, accesses, status = "committed", began, ended } = given as Record<string, unknown>
    if (!isName(session)) return wrong(source, line, `"session": ${kind(session)}`, "a string or an integer")
    if (!isStatus(status))
      return wrong(source, line, `"status": ${kind(status)}`, `"committed", "aborted" or "unknown"`)
    if (!Array.isArray(accesses)) return wrong(source, line, `"accesses": ${kind(accesses)}`, accessExample)
    const transaction = transactions.add(`${session}`, status)
    for (const access of accesses) transaction.accesses.push(accessOf(source, line, access))
    transaction.began = timeOf(source, line, "began", began)
    transaction.ended = timeOf(source, line, "ended", ended)
  }
  return { _tag: "Transactions", format: "ndjson", history: transactions.finish() }
}

const transactionExample = `a transaction, as {"session":0,"accesses":[["w","x",1],["r","y",null]]}`
const accessExample = `["r", key, value] or ["w", key, value]`

const isStatus = (given: unknown): given is Transaction["status"] =>
  given === "committed" || given === "aborted" || given === "unknown"

const accessOf = (source: Source, line: Line, given: unknown): Access => {
  const [f, key, value = null] = Array.isArray(given) ? (given as Array<unknown>) : []
  if ((f !== "r" && f !== "w") || !isName(key)) return wrong(source, line, `the access ${kind(given)}`, accessExample)
  return { kind: f === "r" ? "read" : "write", key: `${key}`, value: value as Value, line: line.number }
}

const timeOf = (source: Source, line: Line, name: string, given: unknown): number | undefined => {
  if (given === undefined || given === null || typeof given === "number") return given ?? undefined
  return wrong(source, line, `"${name}": ${kind(given)}`, "a number")
}
