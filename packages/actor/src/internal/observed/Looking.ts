/** What is seen of a system from outside: how its actors fare, and never what they know. */
import type { Actor, Order, Snapshot } from "../../Inspector.ts"
import type { Cell } from "../system/Cell.ts"
import type { System } from "../system/System.ts"
import { ObservedCell } from "./ObservedCell.ts"
import { walk } from "./walk.ts"

const lettersKept = 32

interface Letter {
  readonly actor: string
  readonly message: string
  readonly reason: string
  readonly atMillis: number
}

interface Sample {
  readonly atMillis: number
  readonly processed: number
  readonly deadLetters: number
}

export class Looking {
  private readonly system: System
  private readonly beganMillis: number
  private readonly letters: Array<Letter> = []
  private sample: Sample
  private rates = { processed: 0, deadLetters: 0 }

  constructor(system: System) {
    this.system = system
    this.beganMillis = system.monotonicMillis()
    this.sample = this.sampled()
  }

  /** Keeps the latest dead letters. Returns how to stop. */
  listen(): () => void {
    return this.system.deadLetters.subscribe(({ actor, message, reason }) => {
      if (this.letters.length === lettersKept) this.letters.shift()
      this.letters.push({ actor, message: tagOf(message), reason, atMillis: this.system.monotonicMillis() })
    })
  }

  /** What happened in a second since the last call, on average. */
  measure(): void {
    const { sample: before } = this
    const now = this.sampled()
    const seconds = (now.atMillis - before.atMillis) / 1000
    if (seconds <= 0) return
    this.sample = now
    this.rates = {
      processed: (now.processed - before.processed) / seconds,
      deadLetters: (now.deadLetters - before.deadLetters) / seconds
    }
  }

  private sampled(): Sample {
    const { counters, deadLetters } = this.system
    return { atMillis: this.system.monotonicMillis(), processed: counters.processed, deadLetters: deadLetters.count }
  }

  look(order: Order, limit: number): Snapshot {
    const { system } = this
    const { counters, deadLetters, remote } = system
    const now = system.monotonicMillis()
    let alive = 0
    let waiting = 0
    let longestMailbox = 0
    const first = new First(limit, rankOf[order])
    walk(system.root, (cell) => {
      alive++
      waiting += cell.waiting
      if (cell.waiting > longestMailbox) longestMailbox = cell.waiting
      first.add(cell)
    })
    return {
      ...{ system: system.name, node: remote?.node ?? null, observed: system.observation !== undefined },
      ...{ uptimeMillis: now - this.beganMillis, alive, waiting, longestMailbox, asksOpen: system.asksOpen },
      counters: {
        ...counters,
        deadLetters: deadLetters.count,
        framesSent: remote?.counters.framesSent ?? 0,
        framesReceived: remote?.counters.framesReceived ?? 0
      },
      rates: this.rates,
      deadLetters: this.letters.map(({ atMillis, ...letter }) => ({ ...letter, agoMillis: now - atMillis })),
      actors: first.all().map(actorOf)
    }
  }
}

const tagOf = (message: unknown): string => {
  const tag = (message as { readonly _tag?: unknown } | null | undefined)?._tag
  return typeof tag === "string" ? tag.slice(0, 100) : "a message"
}

const processedOf = (cell: Cell): number => (cell instanceof ObservedCell ? cell.processed : 0)

const rankOf: Readonly<Record<Order, (cell: Cell) => number>> = {
  mailbox: (cell) => cell.waiting,
  processed: processedOf,
  restarts: (cell) => cell.rare?.restarts ?? 0,
  busy: (cell) => (cell instanceof ObservedCell ? cell.busy : 0)
}

const actorOf = (cell: Cell): Actor => {
  const isObserved = cell instanceof ObservedCell
  return {
    ...{
      id: cell.id,
      parent: cell.parent?.id ?? 0,
      path: cell.path,
      messages: cell.behavior.messages.name,
      life: cell.status
    },
    ...{ mailbox: cell.waiting, capacity: cell.behavior.capacity, stashed: cell.rare?.stash.length ?? 0 },
    restarts: cell.rare?.restarts ?? 0,
    processed: isObserved ? cell.processed : null,
    busyMillis: isObserved ? cell.busy : null
  }
}

/** The first of many by rank, and of equals those that were seen first. */
class First {
  private readonly limit: number
  private readonly rankOf: (cell: Cell) => number
  private kept: Array<{ readonly cell: Cell; readonly rank: number }> = []
  private least = -Infinity

  constructor(limit: number, rank: (cell: Cell) => number) {
    this.limit = limit
    this.rankOf = rank
  }

  add(cell: Cell): void {
    const rank = this.rankOf(cell)
    if (rank <= this.least) return
    this.kept.push({ cell, rank })
    if (this.kept.length >= 2 * this.limit + 16) this.cut()
  }

  private cut(): void {
    // The order of equals stays.
    this.kept.sort((a, b) => b.rank - a.rank)
    if (this.kept.length < this.limit) return
    this.kept.length = this.limit
    this.least = this.kept.at(-1)?.rank ?? Infinity
  }

  all(): ReadonlyArray<Cell> {
    this.cut()
    return this.kept.map(({ cell }) => cell)
  }
}
