/** What handlers fail with, as text: it may be anything, and throw when it is looked at. */
import { Formatter } from "effect"

const longest = 1_000

export const textOf = (defect: unknown): string => {
  const text = plainTextOf(defect) ?? Formatter.format(defect)
  return text.length > longest ? `${text.slice(0, longest)}…` : text
}

const plainTextOf = (defect: unknown): string | undefined => {
  if (typeof defect === "object" && defect !== null && !(defect instanceof Error)) return undefined
  try {
    return String(defect)
  } catch {
    return undefined
  }
}
