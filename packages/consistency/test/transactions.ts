/** Transactional histories at random, and what isolation levels say of them by their axioms. */
import { type History, Transactions } from "@troupe/consistency"

type Transaction = Transactions.Transaction
type TransactionHistory = Transactions.TransactionHistory

/** 1–3 sessions, up to `size` transactions of up to three accesses to keys x, y and z. */
export const randomTransactions = (
  random: () => number,
  size: number,
  { duplicates = 0, statuses = false, times = false, odd = 0.03 } = {}
): TransactionHistory => {
  const below = (limit: number): number => Math.floor(random() * limit)
  const keys = ["x", "y", "z"].slice(0, 1 + below(3))
  const pick = <A>(from: ReadonlyArray<A>): A => from[below(from.length)]!
  const count = 1 + below(size)
  const written = new Map<string, Array<History.Value>>(keys.map((key) => [key, [null]]))
  const kinds = Array.from({ length: count }, () =>
    Array.from({ length: 1 + below(3) }, () => ({
      key: pick(keys),
      kind: random() < 0.5 ? ("r" as const) : ("w" as const)
    }))
  )
  let next = 1
  const values = kinds.map((accesses) =>
    accesses.map(({ key, kind }) => {
      if (kind === "r") return null
      const value = random() < duplicates ? pick(written.get(key)!) : next++
      written.get(key)!.push(value)
      return value
    })
  )
  const sessions: Array<Array<Array<Transactions.AccessTuple>>> = Array.from({ length: 1 + below(3) }, () => [])
  kinds.forEach((accesses, t) => {
    const own = new Map<string, History.Value>()
    pick(sessions).push(
      accesses.map(({ key, kind }, i) => {
        if (kind === "w") own.set(key, values[t]![i]!)
        const seen = own.has(key) && random() > odd ? own.get(key)! : random() < odd / 3 ? -1 : pick(written.get(key)!)
        return [kind, key, kind === "w" ? values[t]![i]! : seen]
      })
    )
  })
  const history = Transactions.make(sessions.filter((transactions) => transactions.length > 0))
  const clock = new Map<number, number>()
  return {
    ...history,
    transactions: history.transactions.map((transaction) => {
      const began = (clock.get(transaction.session) ?? 0) + random()
      const ended = began + random()
      clock.set(transaction.session, ended)
      const status = !statuses || random() < 0.7 ? "committed" : random() < 0.4 ? "aborted" : "unknown"
      return { ...transaction, status, ...(times && (status === "unknown" ? { began } : { began, ended })) }
    })
  }
}

/** A read of what another transaction wrote, or of what was there at first. */
interface Read {
  readonly key: string
  readonly reader: Transaction
  readonly source: Transaction | undefined
}

type Level = (
  earlier: (a: Transaction, b: Transaction) => boolean,
  world: World
) => (writer: Transaction, read: Read) => boolean

interface World {
  readonly transactions: ReadonlyArray<Transaction>
  readonly reads: ReadonlyArray<Read>
  /** Session order or reads-from. */
  readonly base: (a: Transaction, b: Transaction) => boolean
  /** These, any number of times. */
  readonly causal: (a: Transaction, b: Transaction) => boolean
}

const writes = (transaction: Transaction, key: string): boolean =>
  transaction.accesses.some((access) => access.kind === "write" && access.key === key)

const follows = (a: Transaction, b: Transaction): boolean =>
  a.session === b.session && a.id < b.id && a.status === "committed"

/** The axioms: whether the reader of a read had to know of a writer of its key. */
const levels = {
  readCommitted:
    (_, { reads }) =>
    (writer, read) =>
      reads.some((r) => r.reader === read.reader && r.source === writer && reads.indexOf(r) < reads.indexOf(read)),
  readAtomic:
    (_, { base }) =>
    (writer, { reader }) =>
      base(writer, reader),
  causal:
    (_, { causal }) =>
    (writer, { reader }) =>
      causal(writer, reader),
  snapshotIsolation:
    (earlier, { base, transactions }) =>
    (writer, { reader }) =>
      transactions.some((middle) => {
        if (middle !== writer && !earlier(writer, middle)) return false
        const conflicts = middle.accesses.some(({ key, kind }) => kind === "write" && writes(reader, key))
        return base(middle, reader) || (conflicts && earlier(middle, reader))
      }),
  serializable:
    (earlier) =>
    (writer, { reader }) =>
      earlier(writer, reader)
} satisfies Record<string, Level>

function* orders(world: World, sorted: ReadonlyArray<Transaction>): Generator<ReadonlyArray<Transaction>> {
  if (sorted.length === world.transactions.length) return yield sorted
  for (const next of world.transactions) {
    if (sorted.includes(next)) continue
    if (world.transactions.some((other) => world.base(other, next) && !sorted.includes(other))) continue
    yield* orders(world, [...sorted, next])
  }
}

const explains = (world: World, level: Level, isRealTime: boolean): boolean => {
  for (const order of orders(world, [])) {
    const earlier = (a: Transaction, b: Transaction): boolean => order.indexOf(a) < order.indexOf(b)
    const known = level(earlier, world)
    const legal = world.reads.every((read) =>
      world.transactions.every((writer) => {
        if (writer === read.source || writer === read.reader || !writes(writer, read.key)) return true
        return !known(writer, read) || (read.source !== undefined && earlier(writer, read.source))
      })
    )
    const timely = order.every((a, i) => order.slice(i).every((b) => a.began === undefined || !(b.ended! < a.began)))
    if (legal && (!isRealTime || timely)) return true
  }
  return false
}

/** Every way in which unknown transactions may have ended, and reads may have had their sources. */
function* worlds(history: TransactionHistory): Generator<World> {
  const unknown = history.transactions.filter(({ status }) => status === "unknown")
  for (let taken = 0; taken < 2 ** unknown.length; taken++) {
    const transactions = history.transactions.filter(
      (each) => each.status === "committed" || (each.status === "unknown" && (taken >> unknown.indexOf(each)) % 2 === 1)
    )
    for (const reads of matches(transactions)) {
      const base = (a: Transaction, b: Transaction): boolean =>
        follows(a, b) || reads.some(({ reader, source }) => source === a && reader === b)
      const past = new Map(transactions.map((b) => [b, new Set(transactions.filter((a) => base(a, b)))]))
      for (const middle of transactions) {
        for (const own of past.values()) if (own.has(middle)) for (const a of past.get(middle)!) own.add(a)
      }
      yield { transactions, reads, base, causal: (a, b) => past.get(b)!.has(a) }
    }
  }
}

function* matches(transactions: ReadonlyArray<Transaction>): Generator<ReadonlyArray<Read>> {
  const choices: Array<ReadonlyArray<Read>> = []
  for (const reader of transactions) {
    const own = new Map<string, History.Value>()
    for (const { key, kind, value } of reader.accesses) {
      if (kind === "write") own.set(key, value)
      else if (own.has(key)) {
        if (own.get(key) !== value) return
      } else {
        const sources: Array<Transaction | undefined> = transactions.filter((source) => {
          const last = source.accesses.findLast((access) => access.kind === "write" && access.key === key)
          return source !== reader && last?.value === value
        })
        if (value === null) sources.push(undefined)
        choices.push(sources.map((source) => ({ key, reader, source })))
      }
    }
  }
  const choose = function* (chosen: ReadonlyArray<Read>): Generator<ReadonlyArray<Read>> {
    if (chosen.length === choices.length) return yield chosen
    for (const read of choices[chosen.length]!) yield* choose([...chosen, read])
  }
  yield* choose([])
}

const some =
  (level: Level, isRealTime = false) =>
  (history: TransactionHistory): boolean => {
    for (const world of worlds(history)) if (explains(world, level, isRealTime)) return true
    return false
  }

/** The levels, by enumeration of all commit orders. */
export const reference = {
  readCommitted: some(levels.readCommitted),
  readAtomic: some(levels.readAtomic),
  causal: some(levels.causal),
  snapshotIsolation: some(levels.snapshotIsolation),
  serializable: some(levels.serializable),
  strictSerializable: some(levels.serializable, true)
}
