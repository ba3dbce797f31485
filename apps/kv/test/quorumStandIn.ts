/** A layer that keeps each key apart, in one process: for each it keeps what its state dumps, as a layer over a network does. */
import { type Machine, Trie } from "@troupe/replication"
import { Effect, Layer, Stream } from "effect"
import type * as Facts from "../src/Facts.ts"
import { flushing } from "../src/KeyByKey.ts"
import { machine, type Request, type Response } from "../src/KeyspaceMachine.ts"
import { Store } from "../src/Store.ts"

const { survey, split, join } = machine.keyed!

const stateOf = (updates: ReadonlyArray<Facts.Update>): Facts.State => updates.reduce(machine.apply, machine.init)

export class StandIn {
  /** None of them is empty. */
  readonly registers = new Map<string, ReadonlyArray<Facts.Update>>()
  now = (): number => Date.now()

  invoke(request: Request): Response {
    const at: Machine.Moment = { now: this.now(), random: Math.random }
    const parts = split(request)
    if (typeof parts === "string") throw new Error(parts)
    if (parts.length === 0) return survey!(this.copy(), request, at)
    return join(
      request,
      parts.map((part) => {
        const { response, updates } = machine.execute(this.copy().get(part.key), part.request, at)
        if (updates.length > 0) this.change(part.key, updates)
        return response
      })
    )
  }

  private change(key: string, updates: ReadonlyArray<Facts.Update>): void {
    const left = [...machine.dump(updates.reduce(machine.apply, this.copy().get(key)))]
    if (left.length > 0) this.registers.set(key, left)
    else this.registers.delete(key)
  }

  /** What a layer has done now and then, key by key. */
  removeExpired(): void {
    for (const key of [...this.registers.keys()]) {
      const due = machine.housekeeping!.due(this.copy().get(key), { now: this.now(), random: Math.random })
      if (due.length > 0) this.change(key, due)
    }
  }

  copy(): Machine.Copy<Facts.State> {
    const get = (key: string): Facts.State => stateOf(this.registers.get(key) ?? [])
    return {
      size: this.registers.size,
      get,
      from: (hash) =>
        [...this.registers.keys()]
          .filter((key) => Trie.hash(key) >= hash)
          .toSorted((a, b) => Trie.hash(a) - Trie.hash(b))
          .map((key): [string, Facts.State] => [key, get(key)])
    }
  }
}

const status = { role: "primary", view: 1, primary: "n1", members: ["n1"], applied: 0, committed: 0 } as const

export const keyByKey: Layer.Layer<Store> = Layer.sync(Store, () => {
  const standIn = new StandIn()
  return flushing({
    self: "n1",
    invoke: (request) => Effect.sync(() => standIn.invoke(request)),
    status: Effect.succeed(status),
    changes: Stream.succeed(status)
  })
})
