import type { Value } from "../../History.ts"
import type { Implied } from "../../Reader.ts"

/** By name, the functions of a service; the first that has all the functions of a history is meant. */
const services: ReadonlyArray<readonly [name: string, functions: ReadonlyArray<string>]> = [
  ["register", ["read", "write"]],
  ["cas-register", ["read", "write", "cas"]],
  ["multi-register", ["txn"]],
  ["mutex", ["acquire", "release"]],
  ["queue", ["enqueue", "dequeue"]],
  ["stack", ["push", "pop"]],
  ["key-value", ["get", "put", "append"]],
  // Sets have "add", too.
  ["counter", ["fetch-and-add", "increment", "read"]]
]

const registers = new Set(["register", "cas-register", "multi-register"])

/** The specification that the functions of a history tell; `undefined` where they tell none. */
export const impliedBy = (functions: ReadonlySet<string>, initial?: Value): Implied | undefined => {
  if (functions.size === 0) return undefined
  const service = services.find(([, known]) => [...functions].every((f) => known.includes(f)))
  if (service === undefined) return undefined
  const [name] = service
  return initial !== undefined && registers.has(name) ? { name, initial } : { name }
}
