/**
 * Registers in the memory of one process, shared by all nodes of it: for tests and simulations, and for programs of one
 * process. They are linearizable since one thing happens at a time, and they are gone when the process is.
 *
 * @example
 * import { MemoryRegister, Register } from "@troupe/register"
 * import { Effect } from "effect"
 *
 * const shared = MemoryRegister.make()
 * const node = (id: string) =>
 *   Effect.flatMap(Register, (register) => register.compareAndSet("leader", 0, id)).pipe(
 *     Effect.provide(MemoryRegister.layer(shared))
 *   )
 * console.log(await Effect.runPromise(Effect.all([node("n1"), node("n2")])))
 * // [
 * //   { _tag: 'Set', version: 1 },
 * //   { _tag: 'Conflict', current: { version: 1, value: 'n1' } }
 * // ]
 */
import { Effect, Layer } from "effect"
import { answer, type Cell } from "./internal/cells.ts"
import { service } from "./internal/service.ts"
import { Register } from "./Register.ts"

/** At most 1,024 registers, of at most 65,536 characters each as JSON. */
export interface MemoryRegister {
  readonly service: Register["Service"]
}

/** Registers that nobody has set. */
export const make = (): MemoryRegister => {
  const cells = new Map<string, Cell>()
  return {
    service: service((call) =>
      Effect.sync(() => {
        const answered = answer(cells, call)
        if (answered._tag === "Set" && call._tag === "CompareAndSet") {
          cells.set(call.name, { version: answered.version, text: call.text })
        }
        return answered
      })
    )
  }
}

/** A `Register` for a node: all that are made of one `MemoryRegister` are the same. */
export const layer = (shared: MemoryRegister): Layer.Layer<Register> => Layer.succeed(Register, shared.service)
