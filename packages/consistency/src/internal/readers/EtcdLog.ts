import type { Value } from "../../History.ts"
import type { Reading } from "../../Reader.ts"
import { Edn } from "../Edn.ts"
import { MalformedInput } from "../MalformedInput.ts"
import { Pairing } from "../Pairing.ts"
import { type Line, lines, malformedLine, type Source } from "../Source.ts"

/** `INFO  jepsen.util - 3	:ok	:read	nil`; the rest of such a log is other lines. */
const pattern = /\bjepsen\.util\s+-\s+(:?[\w.-]+)\s+:(invoke|ok|fail|info)\s+:([^\s:]+)(?:\s+(.*))?$/

export const isEtcdLine = (line: string): boolean => pattern.test(line)

/**
 * Jepsen's log of a register in etcd, at first absent, with compare-and-set. Such logs say "fail" of one that was
 * answered "false"; a completion without a result, as `:timed-out`, leaves it open.
 */
export const readEtcdLog = (source: Source): Reading => {
  const pairing = new Pairing(source.file)
  for (const line of lines(source.text)) {
    const [, process, type, f, rest = ""] = pattern.exec(line.text) ?? []
    if (process === undefined || f === undefined) continue
    if (process.startsWith(":")) {
      pairing.skip()
      continue
    }
    const { number } = line
    if (type === "invoke") pairing.invoke(process, f, undefined, valueOf(source, line, rest), number)
    else if (type === "ok") pairing.complete(process, "ok", f, outputOf(f, valueOf(source, line, rest)), number)
    else if (type === "info") pairing.complete(process, "info", f, undefined, number)
    else if (f !== "cas") pairing.complete(process, "fail", f, undefined, number)
    else if (rest.startsWith(":")) pairing.complete(process, "info", f, undefined, number)
    else pairing.complete(process, "ok", f, false, number)
  }
  const history = pairing.finish((f) => f === "read")
  return { _tag: "Operations", format: "etcd-log", history, specification: { name: "cas-register", initial: null } }
}

const outputOf = (f: string, value: Value): Value => {
  if (f === "cas") return true
  return f === "write" ? null : value
}

const valueOf = (source: Source, line: Line, rest: string): Value => {
  if (rest === "nil" || rest === "") return null
  if (/^\d{1,15}$/.test(rest)) return Number(rest)
  const edn = new Edn({ ...source, text: rest })
  try {
    const value = edn.value()
    if (edn.peek() < 0) return value
  } catch (error) {
    if (!(error instanceof MalformedInput)) throw error
  }
  throw malformedLine(source, line, "a value at its end, as 3, nil or [1 2]")
}
