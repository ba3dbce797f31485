/**
 * Where the receptionist of a system and those who take its actors elsewhere meet: what an actor is registered under goes along
 * with it, also through nodes that have no receptionist.
 */
import { Cause } from "effect"
import type { Cell } from "../system/Cell.ts"
import { Mark } from "../system/envelopes.ts"
import type { System } from "../system/System.ts"
import type { Registry } from "./Registry.ts"
import { type Key, mostEntries } from "./talk.ts"

/** An actor that is known by more than its address. */
export interface Arrived {
  /** Who it is, wherever it is. */
  readonly actor: string
  /** Greater wherever it was later. */
  readonly epoch: number
}

/** Who an actor is that has not come from elsewhere. */
export const identity = (node: string, life: number, serial: number): string => `${node}/${life.toString(36)}/${serial}`

/** It is registered, or taken off, in its turn, wherever that is. */
export class Enlistment extends Mark {
  readonly key: Key
  readonly isListed: boolean

  constructor(cell: Cell, key: Key, isListed: boolean) {
    super(() => deskOf(cell.system).enlist(cell, key, isListed))
    this.key = key
    this.isListed = isListed
  }
}

export class Desk {
  private registry: Registry | undefined
  private readonly arrived = new Map<Cell, Arrived & { readonly keys: ReadonlyArray<Key> }>()

  open(registry: Registry): void {
    this.registry = registry
    for (const [cell, arrived] of this.arrived) registry.arrive(cell, arrived, arrived.keys)
  }

  close(): void {
    this.registry = undefined
  }

  /** Registers it, or takes it off: where it is, if it has moved. */
  enlist(cell: Cell, key: Key, isListed: boolean): void {
    if (cell.status === "moved") return cell.rare!.away!.tell(new Enlistment(cell, key, isListed))
    if (cell.status === "frozen") return cell.deliver(new Enlistment(cell, key, isListed))
    const { registry } = this
    if (registry === undefined) return this.note(cell, key, isListed)
    if (isListed) registry.register(key, cell, this.arrived.get(cell))
    else registry.deregister(key, cell)
  }

  /** For a receptionist that is to come, or that of the next node. */
  private note(cell: Cell, { messages, name }: Key, isListed: boolean): void {
    const arrived = this.arrived.get(cell)
    if (arrived === undefined) return
    const keys = arrived.keys.filter((each) => each.name !== name)
    if (isListed && keys.length >= mostEntries) {
      return cell.log(`"${cell.path}" is not registered: ${mostEntries} keys are its own already`, Cause.empty)
    }
    this.arrived.set(cell, { ...arrived, keys: isListed ? [...keys, { name, messages }] : keys })
  }

  keysOf(cell: Cell): ReadonlyArray<Key> {
    return this.registry?.keysOf(cell) ?? this.arrived.get(cell)?.keys ?? []
  }

  /** How many more can be registered. */
  get room(): number {
    return this.registry?.room ?? Infinity
  }

  /** It lives here from now on, or goes on here as a later one. */
  arrive(cell: Cell, arrived: Arrived, keys: ReadonlyArray<Key>): void {
    this.arrived.set(cell, { ...arrived, keys })
    this.registry?.arrive(cell, arrived, keys)
  }

  /** It lives elsewhere from now on. */
  depart(cell: Cell): void {
    this.arrived.delete(cell)
    this.registry?.depart(cell)
  }

  /** It is no more. */
  forget(cell: Cell): void {
    this.arrived.delete(cell)
  }
}

const desks = new WeakMap<System, Desk>()

export const deskOf = (system: System): Desk => {
  let desk = desks.get(system)
  if (desk === undefined) desks.set(system, (desk = new Desk()))
  return desk
}
