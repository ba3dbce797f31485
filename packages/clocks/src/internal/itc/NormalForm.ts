/** What a stamp of unknown origin must be: trees of bounded depth in normal form, with counts that can be counted on. */
import type { Event } from "./Event.ts"
import { type Id, maxDepth } from "./Id.ts"

export interface Stamp {
  readonly id: Id
  readonly event: Event
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

/** Why this is no stamp; `undefined` if it is one. */
export const problem = (value: unknown): string | undefined => {
  if (!isObject(value)) return "it is no object"
  const { id, event, ...others } = value
  const [other] = Object.keys(others)
  if (other !== undefined) return `it has an unknown part, ${JSON.stringify(other)}`
  return problemOfId(id, "id", 0) ?? problemOfEvent(event, "event", 0, 0)
}

const tooDeep = `the tree is more than ${maxDepth} levels deep`

const problemOfId = (id: unknown, at: string, depth: number): string | undefined => {
  if (id === 0 || id === 1) return undefined
  if (!Array.isArray(id) || id.length !== 2) return `${place(at)} is neither 0, 1 nor two halves`
  if (depth >= maxDepth) return tooDeep
  const [left, right] = id
  if (left === right && typeof left === "number") return `${place(at)} is not in normal form: its halves are equal`
  return problemOfId(left, `${at}.0`, depth + 1) ?? problemOfId(right, `${at}.1`, depth + 1)
}

const problemOfEvent = (event: unknown, at: string, above: number, depth: number): string | undefined => {
  if (!Array.isArray(event)) return problemOfCount(event, at, above)
  if (event.length !== 3) return `${place(at)} is neither a count nor a count and two halves`
  if (depth >= maxDepth) return tooDeep
  const [base, left, right] = event
  return (
    problemOfCount(base, `${at}.0`, above) ??
    problemOfEvent(left, `${at}.1`, above + base, depth + 1) ??
    problemOfEvent(right, `${at}.2`, above + base, depth + 1) ??
    problemOfHalves(left, right, at)
  )
}

const problemOfCount = (count: unknown, at: string, above: number): string | undefined =>
  Number.isSafeInteger(count) && (count as number) >= 0 && Number.isSafeInteger(above + (count as number))
    ? undefined
    : `${place(at)} is no whole number that adds up to one from 0 to 2^53 - 1`

const problemOfHalves = (left: Event, right: Event, at: string): string | undefined => {
  const [least, other] = [left, right].map((half) => (typeof half === "number" ? half : half[0]))
  if (least !== 0 && other !== 0) return `${place(at)} is not in normal form: both halves have a count`
  return left === right ? `${place(at)} is not in normal form: its halves are equal` : undefined
}

/** Paths may be a thousand steps long. */
const place = (path: string): string => (path.length <= 60 ? path : `${path.slice(0, 60)}…`)
