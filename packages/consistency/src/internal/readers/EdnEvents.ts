import type { Event, Value } from "../../History.ts"
import { Edn, openMap } from "../Edn.ts"
import { kind } from "../Events.ts"
import type { MalformedInput } from "../MalformedInput.ts"
import type { Source } from "../Source.ts"

/** A map `{:process 0, :type :invoke, :f :read, :value nil}`. */
export interface EdnEvent {
  /** Of something else than a client, as `:nemesis`: `undefined`. */
  readonly process: string | undefined
  readonly type: Event["type"]
  readonly f: string
  readonly key: string | undefined
  readonly value: Value
  readonly line: number
  readonly wrong: (found: string, expected: string) => MalformedInput
}

/** Reads a vector or a list of such maps, or maps one after the other. Other keys than these are skipped. */
export const readEvents = (source: Source, receive: (event: EdnEvent) => void): void => {
  const edn = new Edn(source)
  edn.skipTags()
  const opened = edn.position
  if (edn.peek() === openMap || edn.peek() < 0) {
    while (edn.peek() >= 0) receive(readEvent(edn))
    return
  }
  const closing = edn.open()
  if (closing === undefined) throw edn.unexpected(`"[", "(" or "{", which begin a history`)
  while (!edn.close(closing, opened)) receive(readEvent(edn))
  if (edn.peek() >= 0) throw edn.unexpected("nothing more after the history")
}

const example = "an operation, as {:process 0, :type :invoke, :f :read, :value nil}"

const readEvent = (edn: Edn): EdnEvent => {
  edn.skipTags()
  if (edn.peek() !== openMap) throw edn.unexpected(example)
  const start = edn.position
  const closing = edn.open()!
  let process: string | undefined
  let isClient = true
  let type: Value | undefined
  let f: Value | undefined
  let key: Value = null
  let value: Value = null
  while (!edn.close(closing, start)) {
    const name = edn.keyword() ?? edn.value()
    if (name === "process") {
      isClient = !edn.keywordIsNext()
      process = nameOf(edn.value())
    } else if (name === "type") type = edn.value()
    else if (name === "f") f = edn.value()
    else if (name === "key") key = edn.value()
    else if (name === "value") value = edn.value()
    else edn.value()
  }
  const wrong = (found: string, expected: string): MalformedInput => edn.malformed(start, found, expected)
  if (process === undefined) throw wrong("an operation without :process", "a number or a name for who calls")
  if (type !== "invoke" && type !== "ok" && type !== "fail" && type !== "info") {
    const found = type === undefined ? "an operation without :type" : `:type ${kind(type)}`
    throw wrong(found, ":invoke, :ok, :fail or :info")
  }
  if (typeof f !== "string" && isClient) {
    throw wrong(f === undefined ? "an operation without :f" : `:f ${kind(f)}`, "a function, as :read")
  }
  return {
    process: isClient ? process : undefined,
    type,
    f: typeof f === "string" ? f : "",
    key: nameOf(key),
    value,
    line: edn.lineOf(start),
    wrong
  }
}

const nameOf = (value: Value): string | undefined => {
  if (value === null) return undefined
  return typeof value === "string" ? value : JSON.stringify(value)
}
