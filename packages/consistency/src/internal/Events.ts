import type { Event } from "../History.ts"
import type { Pairing } from "./Pairing.ts"

/** Why `given` is no event; `undefined` of one that is. By hand: a Schema takes longer than all the rest of reading. */
export const notEvent = (given: unknown): string | undefined => {
  if (typeof given !== "object" || given === null || Array.isArray(given)) return `it is ${kind(given)}`
  const { process, type, f, key } = given as Record<string, unknown>
  if (!isName(process)) return `"process" is ${kind(process)}, and should be a string or an integer`
  if (type !== "invoke" && type !== "ok" && type !== "fail" && type !== "info") {
    return `"type" is ${kind(type)}, and should be "invoke", "ok", "fail" or "info"`
  }
  if (typeof f !== "string") return `"f" is ${kind(f)}, and should be a string, as "read"`
  if (key !== undefined && !isName(key)) return `"key" is ${kind(key)}, and should be a string or an integer`
  return undefined
}

export const isName = (given: unknown): given is string | number => typeof given === "string" || Number.isInteger(given)

/** How an error names what it found: short, whatever that is. */
export const kind = (given: unknown): string => {
  if (given === undefined) return "missing"
  const json = JSON.stringify(given) ?? typeof given
  return json.length <= 40 ? json : `${json.slice(0, 37)}...`
}

export const text = (name: string | number | undefined): string | undefined =>
  name === undefined ? undefined : `${name}`

export const record = (pairing: Pairing, event: Event, line: number): void => {
  const { process, type, f, key, value = null } = event
  if (type === "invoke") pairing.invoke(`${process}`, f, text(key), value, line)
  else pairing.complete(`${process}`, type, f, value, line, text(key))
}
