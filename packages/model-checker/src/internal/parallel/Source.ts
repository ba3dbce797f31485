/** How each thread comes to the same model: by a function that a module exports, and what it is given. */
import type { Checkable } from "../../Model.ts"

export interface Source {
  /** Where the module is: `new URL("./models.ts", import.meta.url)`. */
  readonly module: URL | string
  /** What the module exports: a function that returns the model. Default: "default". One in a namespace: "Paxos.model". */
  readonly build?: string
  /** What the function is given: plain data. */
  readonly args?: ReadonlyArray<unknown>
}

export const build = async ({ args = [], build: name = "default", module }: Source): Promise<Checkable<unknown>> => {
  let exported: unknown = await import(String(module))
  for (const part of name.split(".")) exported = (exported as Record<string, unknown> | undefined)?.[part]
  if (typeof exported !== "function") throw new TypeError(`it exports no function "${name}"`)
  return exported(...args)
}
