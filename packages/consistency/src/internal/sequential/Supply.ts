import type { Operation, Value } from "../../History.ts"
import type { Specification } from "../../Specification.ts"
import { textOf } from "../../specifications/Values.ts"

/**
 * Whether a collection gave what it never had: more of a value than was put in, or a value that a register never held.
 * No order explains that, whatever it keeps, and to try them all would take long.
 */
export const lacks = (operations: ReadonlyArray<Operation>, { collection, init }: Specification): boolean => {
  if (collection === undefined) return false
  const isRegister = collection.kind === "register"
  const left = new Map<string, number>()
  const wanted: Array<string> = []
  for (const operation of operations) {
    const does = collection.role(operation)
    // It may put something in.
    if (does === undefined && operation.f !== "read") return false
    if (does === undefined || does._tag === "Empty" || does.value === undefined) continue
    const name = `${operation.key ?? ""} ${textOf(does.value)}`
    if (does._tag === "Add") left.set(name, (left.get(name) ?? 0) + 1)
    else if (!isRegister || textOf(does.value) !== textOf(init as Value)) wanted.push(name)
  }
  return wanted.some((name) => {
    const count = left.get(name) ?? 0
    if (!isRegister) left.set(name, count - 1)
    return count <= 0
  })
}
