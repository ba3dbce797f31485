/**
 * What clients were told: the latest life of each client, and its responses that it may still ask for. A client is a
 * node's front end; its life is a number that grows with each start of the node, its requests are counted from 1.
 *
 * A client says below which counter it has all responses (`floor`); those are dropped, and so are those of earlier lives.
 * It has at most `window` requests open, so that many responses are kept for it at most.
 */
import type { Entry } from "./messages.ts"

/** A client's requests may be so far apart, the oldest open one and the newest. */
export const window = 65_536

export interface Client {
  readonly life: number
  /** Requests below are closed: they were answered, and the client knows. */
  readonly floor: number
  /** The highest counter that was executed. */
  readonly top: number
  /** Responses at or above `floor`, with some below: oldest batches first. */
  readonly chunks: ReadonlyArray<Chunk>
}

/** Responses of one batch. */
export interface Chunk {
  readonly top: number
  readonly counters: ReadonlyArray<number>
  readonly responses: ReadonlyArray<unknown>
}

/** By the ranks of their nodes. */
export type Table = ReadonlyArray<Client>

export const unknown: Client = { life: 0, floor: 0, top: 0, chunks: [] }

/** So many chunks are searched; more become one. */
const chunksMax = 32

export const respond = ({ chunks }: Client, counter: number): { readonly response: unknown } | undefined => {
  for (let i = chunks.length - 1; i >= 0; i--) {
    const { counters, responses, top } = chunks[i]!
    if (top < counter) return undefined
    const at = counters.indexOf(counter)
    if (at >= 0) return { response: responses[at] }
  }
  return undefined
}

/** A table that one batch changes: its entries are added one after another, and looked up meanwhile. */
export class Draft {
  private readonly table: Table
  private readonly changed = new Map<number, Changes>()

  constructor(table: Table) {
    this.table = table
  }

  /** What is to be done about a request: `execute` it, `answer` as before, or `refuse` it as too old. */
  look(rank: number, life: number, counter: number): "execute" | "refuse" | { readonly response: unknown } {
    const changes = this.changed.get(rank)
    const client = this.table[rank]!
    const known = changes?.life ?? client.life
    if (life !== known) return life > known ? "execute" : "refuse"
    if (changes !== undefined) {
      const at = counter > changes.top ? -1 : changes.counters.indexOf(counter)
      if (at >= 0) return { response: changes.responses[at] }
      if (counter < changes.floor) return "refuse"
    } else if (counter < client.floor) return "refuse"
    if (client.life !== life || counter > client.top) return "execute"
    return respond(client, counter) ?? "execute"
  }

  add(rank: number, entry: Entry): void {
    let changes = this.changed.get(rank)
    const { counter, floor, life, response } = entry
    if (changes === undefined || changes.life < life) {
      const client = this.table[rank]!
      const { floor, top } = client.life === life ? client : unknown
      this.changed.set(rank, (changes = { life, floor, top, counters: [], responses: [] }))
    }
    changes.floor = Math.max(changes.floor, floor)
    changes.top = Math.max(changes.top, counter)
    changes.counters.push(counter)
    changes.responses.push(response)
  }

  done(): Table {
    if (this.changed.size === 0) return this.table
    const table = this.table.slice()
    for (const [rank, changes] of this.changed) table[rank] = join(this.table[rank]!, changes)
    return table
  }
}

interface Changes {
  readonly life: number
  floor: number
  top: number
  readonly counters: Array<number>
  readonly responses: Array<unknown>
}

const join = (client: Client, { counters, floor, life, responses, top }: Changes): Client => {
  const before = client.life === life ? client.chunks : []
  const chunk = { top: counters.reduce((a, b) => Math.max(a, b), 0), counters, responses }
  // The tops of chunks grow, so that a search may end early.
  const kept = before.filter((each) => each.top >= floor)
  const lower = kept.findIndex((each) => each.top >= chunk.top)
  const chunks = lower >= 0 || kept.length >= chunksMax ? [merged([...kept, chunk], floor)] : [...kept, chunk]
  return { life, floor, top, chunks }
}

/** Responses at or above `floor`, as one chunk. */
const merged = (chunks: ReadonlyArray<Chunk>, floor: number): Chunk => {
  const counters: Array<number> = []
  const responses: Array<unknown> = []
  let top = 0
  for (const chunk of chunks) {
    for (const [i, counter] of chunk.counters.entries()) {
      if (counter < floor) continue
      counters.push(counter)
      responses.push(chunk.responses[i])
      top = Math.max(top, counter)
    }
  }
  return { top, counters, responses }
}
