/** Histories as Jepsen stores and Knossos checks them. What is not a client's, as the nemesis's, is skipped. */
import type { Value } from "../../History.ts"
import type { Implied, Reading } from "../../Reader.ts"
import { isName } from "../Events.ts"
import { Pairing } from "../Pairing.ts"
import type { Source } from "../Source.ts"
import { TransactionDrafts } from "../TransactionDrafts.ts"
import { impliedBy } from "./Implied.ts"
import { type EdnEvent, readEvents } from "./EdnEvents.ts"

/** Functions whose completion repeats the argument. */
const writes = new Set(["write", "put", "append", "enqueue", "push", "add", "acquire", "release"])

/**
 * A register, lock or registers as Knossos models them: registers start at 0, and a read that returned nil says nothing
 * about the value.
 */
export const readKnossos = (source: Source): Reading => {
  const pairing = new Pairing(source.file)
  const functions = new Set<string>()
  readEvents(source, (event) => {
    const { process, type, f, key, line } = event
    if (process === undefined) return pairing.skip()
    functions.add(f)
    if (type === "invoke") return pairing.invoke(process, f, key, inputOf(event), line)
    if (type === "ok" && f === "txn") return completeSteps(pairing, event, process)
    const draft = pairing.current(process)
    // Knossos takes an argument that the invocation left out from the completion.
    if (type === "ok" && f !== "read" && draft?.input === null) draft.input = argumentOf(event)
    const output = type === "ok" ? outputOf(event) : undefined
    const isUnseen = type === "ok" && f === "read" && output === null
    pairing.complete(process, isUnseen ? "unseen" : type, f, output, line, key)
  })
  const history = pairing.finish((f) => f === "read")
  const specification = implied(functions)
  return { _tag: "Operations", format: "knossos", history, ...(specification !== undefined && { specification }) }
}

/** Knossos has no plain register. */
const implied = (functions: ReadonlySet<string>): Implied | undefined => {
  const specification = impliedBy(functions, 0)
  const isRegister = functions.size === 0 || specification?.name === "register"
  return isRegister ? { name: "cas-register", initial: 0 } : specification
}

const inputOf = (event: EdnEvent): Value => {
  if (event.f === "read") return null
  return event.f === "txn" ? steps(event) : event.value
}

/** Of functions whose completion repeats it. */
const argumentOf = ({ f, value }: EdnEvent): Value => (f === "cas" || writes.has(f) ? value : null)

const outputOf = (event: EdnEvent): Value => {
  if (event.f === "cas") return true
  return writes.has(event.f) ? null : event.value
}

/** A step that read nil says nothing either: it is left out of what was asked, too. */
const completeSteps = (pairing: Pairing, event: EdnEvent, process: string): void => {
  const answered = steps(event)
  const draft = pairing.current(process)
  pairing.complete(process, "ok", event.f, answered, event.line, event.key)
  if (draft === undefined) return
  const asked = draft.input as ReadonlyArray<Step>
  if (asked.length !== answered.length) {
    throw event.wrong(`${answered.length} steps`, `the ${asked.length} that line ${draft.invokeLine} invokes`)
  }
  const isSaid = answered.map(([f, , value]) => f !== "read" || value !== null)
  draft.input = asked.filter((_, i) => isSaid[i])
  draft.output = answered.filter((_, i) => isSaid[i])
}

type Step = readonly [f: string, key: string, value: Value]

const stepNames: Readonly<Record<string, string>> = { r: "read", w: "write" }

/** `[[:r :x nil] [:write :y 2]]` */
const steps = (event: EdnEvent): Array<Step> => {
  const expected = "a transaction's steps, as [[:read :x nil] [:write :y 2]]"
  if (!Array.isArray(event.value)) throw event.wrong(`:value ${JSON.stringify(event.value)}`, expected)
  return event.value.map((step: Value): Step => {
    if (!Array.isArray(step) || step.length !== 3) throw event.wrong(`the step ${JSON.stringify(step)}`, expected)
    const [f, key, value] = step as [Value, Value, Value]
    if (typeof f !== "string" || !isName(key)) throw event.wrong(`the step ${JSON.stringify(step)}`, expected)
    return [stepNames[f] ?? f, `${key}`, value]
  })
}

/** The same, read as transactions: a process is a session. Of one that is aborted or unknown, the writes are known. */
export const readJepsenTransactions = (source: Source): Reading => {
  const pairing = new Pairing(source.file)
  readEvents(source, (event) => {
    const { process, type, f, line } = event
    if (process === undefined) return pairing.skip()
    if (f !== "txn") throw event.wrong(`:f :${f}`, "transactions only, with :f :txn")
    if (type === "invoke") pairing.invoke(process, f, undefined, accessSteps(event), line)
    else pairing.complete(process, type, f, type === "ok" ? accessSteps(event) : undefined, line)
  })
  const transactions = new TransactionDrafts()
  for (const draft of pairing.drafts) {
    const { process, ended, input, output, invokeIndex, returnIndex } = draft
    const isCommitted = ended === "ok"
    const transaction = transactions.add(process, isCommitted ? "committed" : ended === "fail" ? "aborted" : "unknown")
    const line = isCommitted ? draft.returnLine : draft.invokeLine
    for (const [f, key, value] of (isCommitted ? output : input) as Array<Step>) {
      if (f === "write") transaction.accesses.push({ kind: "write", key, value, line })
      else if (isCommitted) transaction.accesses.push({ kind: "read", key, value, line })
    }
    transaction.began = invokeIndex
    if (isCommitted || ended === "fail") transaction.ended = returnIndex
  }
  return { _tag: "Transactions", format: "jepsen-txn", history: transactions.finish() }
}

const accessSteps = (event: EdnEvent): Array<Step> => {
  const all = steps(event)
  const other = all.find(([f]) => f !== "read" && f !== "write")
  if (other !== undefined) throw event.wrong(`the step :${other[0]}`, ":r, :read, :w or :write")
  return all
}
