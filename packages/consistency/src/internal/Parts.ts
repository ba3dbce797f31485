/** Taking a history apart where the service is made of independent parts, and putting it together where it is not. */
import type { Operation, Value } from "../History.ts"
import type { Specification } from "../Specification.ts"
import { textOf } from "../specifications/Values.ts"

export type Operations = ReadonlyArray<Operation>

/** By object. An order that is right for each object is right for all, where it keeps real time (Herlihy & Wing 1990). */
export const byKey = (operations: Operations, spec: Specification): ReadonlyArray<Operations> => {
  if (spec.acrossKeys === true || operations.every(({ key }) => key === operations[0]!.key)) return [operations]
  return [...Map.groupBy(operations, ({ key }) => key).values()]
}

/** By object, and by part of an object where all calls are about one. */
export const parts = (operations: Operations, spec: Specification): ReadonlyArray<Operations> => {
  const objects = byKey(operations, spec)
  if (spec.part === undefined) return objects
  return objects.flatMap((own) => {
    const ofPart = Map.groupBy(own, (operation) => spec.part!(operation))
    return ofPart.has(undefined) ? [own] : [...ofPart.values()]
  })
}

/** Objects that are not in their first state, by key. */
type Objects = Readonly<Record<string, unknown>>

/** All objects as one: for orders that must hold across them. */
export const together = (spec: Specification): Specification => {
  if (spec.acrossKeys === true) return spec
  const { part: _part, collection: _collection, ...rest } = spec
  return {
    ...rest,
    init: {},
    step: (state: Objects, call) => {
      const key = call.key ?? ""
      const own = Object.hasOwn(state, key) ? state[key] : spec.init
      const next = spec.step(own, call)
      if (next === undefined) return undefined
      return next === own ? state : { ...state, [key]: next }
    },
    identify: (state: Objects) => {
      const named: Record<string, Value> = {}
      for (const key in state) named[key] = spec.identify?.(state[key]) ?? (state[key] as Value)
      return textOf(named)
    }
  }
}
