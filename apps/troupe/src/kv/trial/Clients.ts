/**
 * Clients of a store on trial. Each reads and writes registers, transfers money between accounts under `WATCH` and `MULTI`,
 * and adds up all accounts now and then. What it does is drawn from `Random`, and what it is told goes into the book.
 */
import type { History } from "@troupe/consistency"
import type { Connection, Reply } from "@troupe/kv"
import { Clock, Effect, Random, type Scope } from "effect"
import * as Book from "./Book.ts"

export interface Work {
  readonly registers: number
  /** None where the store cannot do several keys at once. */
  readonly accounts: number
  readonly openingCents: number
  /** Between what a client does and the next: up to this. */
  readonly pauseMillis: number
}

export const usual: Work = { registers: 6, accounts: 10, openingCents: 100_000, pauseMillis: 20 }

const accountKey = (index: number): string => `account:${index}`
export const accountKeys = ({ accounts }: Work): ReadonlyArray<string> =>
  Array.from({ length: accounts }, (_, index) => accountKey(index))

/** Written in the same transaction as the transfer: what was applied can be told afterwards. */
export const receipt = (id: string): string => `transfer:${id}`

/** Opens the accounts. Until it has succeeded nothing else is asked. */
export const prepare = (ask: Connection.Ask, work: Work): Effect.Effect<boolean, Connection.Hangup> =>
  work.accounts === 0
    ? Effect.succeed(true)
    : Effect.map(
        ask("MSET", ...accountKeys(work).flatMap((key) => [key, String(work.openingCents)])),
        ({ _tag }) => _tag === "Simple"
      )

/** Asks one node after the other until one has an answer: `dial` gives the next at each turn. */
export const insist = <A>(
  dial: (turn: number) => Effect.Effect<Connection.Ask, unknown, Scope.Scope>,
  use: (ask: Connection.Ask) => Effect.Effect<A | undefined | false, Connection.Hangup>
): Effect.Effect<Exclude<A, false>> =>
  Effect.gen(function* () {
    for (let turn = 0; ; turn++) {
      const answer = yield* Effect.scoped(Effect.flatMap(dial(turn), use)).pipe(
        Effect.timeout("2 seconds"),
        Effect.orElseSucceed(() => undefined)
      )
      if (answer !== undefined && answer !== false) return answer as Exclude<A, false>
      yield* Effect.sleep("100 millis")
    }
  })

export type Fate = "ok" | "fail" | "info"

/** What became of a command: it was executed, or it was not, or that is not known. */
export const fateOf = (reply: Reply.Reply): Fate => {
  if (reply._tag !== "Failure") return "ok"
  return reply.text.startsWith("CLUSTERDOWN ") ? "fail" : "info"
}

/** A client under a name that no other has: it goes on until it is interrupted, or its connection is gone. */
export const client = (
  name: string,
  ask: Connection.Ask,
  work: Work,
  book: Book.Book
): Effect.Effect<never, Connection.Hangup> => {
  const register = new Registers(name, ask, work, book)
  const bank = new Bank(name, ask, work, book)
  return Effect.forever(
    Effect.gen(function* () {
      yield* Effect.sleep(yield* Random.nextIntBetween(0, work.pauseMillis))
      const what = work.accounts === 0 ? 0 : yield* Random.next
      yield* what < 0.6 ? register.use : what < 0.95 ? bank.transfer : bank.audit
    })
  )
}

const count = (book: Book.Book, fate: Fate): void => {
  if (fate === "ok") book.answered++
  else book.unanswered++
}

/** An error that says neither that nothing was done nor that it is in doubt. */
const checkError = (reply: Reply.Reply, book: Book.Book): void => {
  if (reply._tag !== "Failure" || /^(CLUSTERDOWN|INDOUBT) |shutting down/.test(reply.text)) return
  Book.complain(book, reply.text)
}

class Registers {
  private readonly name: string
  private readonly ask: Connection.Ask
  private readonly work: Work
  private readonly book: Book.Book
  private operations = 0
  /** Who has an operation that nobody knows the end of goes on as somebody else. */
  private process: string

  constructor(name: string, ask: Connection.Ask, work: Work, book: Book.Book) {
    this.name = name
    this.process = name
    this.ask = ask
    this.work = work
    this.book = book
  }

  readonly use: Effect.Effect<void, Connection.Hangup> = Effect.gen({ self: this }, function* () {
    const key = `register:${yield* Random.nextIntBetween(0, this.work.registers, { halfOpen: true })}`
    if (yield* Random.nextBoolean) return yield* this.operate("read", key, null, ["GET", key])
    // No two writes of a trial write the same.
    const value = `${this.name}-${++this.operations}`
    yield* this.operate("write", key, value, ["SET", key, value])
  })

  private operate(f: "read" | "write", key: string, input: string | null, words: ReadonlyArray<string>) {
    const { ask, book } = this
    const note = (type: History.Event["type"], value?: History.Value): void => {
      book.events.push({ process: this.process, type, f, key, ...(value === undefined ? {} : { value }) })
    }
    const end = (fate: Fate, value?: History.Value): void => {
      count(book, fate)
      note(fate, value)
      if (fate === "info") this.process = `${this.name}.${this.operations++}`
    }
    return Effect.gen(function* () {
      note("invoke", input)
      const reply = yield* Effect.tapError(ask(...words), ({ isSent }) =>
        Effect.sync(() => end(isSent ? "info" : "fail"))
      )
      checkError(reply, book)
      const fate = fateOf(reply)
      if (fate !== "ok") return end(fate)
      if (f === "read") return end("ok", reply._tag === "Bulk" ? reply.bytes : null)
      Book.wrote(book, yield* Clock.currentTimeMillis)
      end("ok")
    })
  }
}

class Bank {
  private readonly name: string
  private readonly ask: Connection.Ask
  private readonly work: Work
  private readonly book: Book.Book
  private transfers = 0

  constructor(name: string, ask: Connection.Ask, work: Work, book: Book.Book) {
    this.name = name
    this.ask = ask
    this.work = work
    this.book = book
  }

  readonly transfer: Effect.Effect<void, Connection.Hangup> = Effect.gen({ self: this }, function* () {
    const { accounts } = this.work
    const from = yield* Random.nextIntBetween(0, accounts, { halfOpen: true })
    const step = yield* Random.nextIntBetween(1, accounts, { halfOpen: true })
    const amount = yield* Random.nextIntBetween(1, this.work.openingCents / 4)
    const id = `${this.name}-${++this.transfers}`
    yield* this.move({ id, from, to: (from + step) % accounts, amount })
  })

  private move(transfer: Book.Transfer): Effect.Effect<void, Connection.Hangup> {
    const { book } = this
    const [from, to] = [accountKey(transfer.from), accountKey(transfer.to)]
    return Effect.gen({ self: this }, function* () {
      if (!(yield* this.has(["WATCH", from, to]))) return
      const read = yield* this.answer(["MGET", from, to])
      const [payer, payee] = balances(read)
      if (payer === undefined || payee === undefined || payer < transfer.amount) {
        if (payer !== undefined) book.declined++
        yield* this.has(["UNWATCH"])
        return
      }
      yield* this.has(["MULTI"])
      yield* this.has(["SET", from, String(payer - transfer.amount)])
      yield* this.has(["SET", to, String(payee + transfer.amount)])
      yield* this.has(["SET", receipt(transfer.id), String(transfer.amount)])
      yield* this.settle(transfer)
    })
  }

  /** The one command of the transfer that changes anything. */
  private settle(transfer: Book.Transfer): Effect.Effect<void, Connection.Hangup> {
    const { book } = this
    return Effect.gen({ self: this }, function* () {
      // Whoever is interrupted from here on knows no more of it.
      book.inDoubt.set(transfer.id, transfer)
      const reply = yield* Effect.tapError(this.answer(["EXEC"]), ({ isSent }) =>
        Effect.sync(() => void (isSent || book.inDoubt.delete(transfer.id)))
      )
      const fate = fateOf(reply)
      if (fate === "info") return
      book.inDoubt.delete(transfer.id)
      if (reply._tag === "NullArray") book.overtaken++
      else if (fate === "ok") {
        book.applied.push(transfer)
        Book.wrote(book, yield* Clock.currentTimeMillis)
      }
    })
  }

  readonly audit: Effect.Effect<void, Connection.Hangup> = Effect.gen({ self: this }, function* () {
    const found = balances(yield* this.answer(["MGET", ...accountKeys(this.work)]))
    if (found.length > 0) this.book.totals.push(sum(found))
  })

  private has(words: ReadonlyArray<string>): Effect.Effect<boolean, Connection.Hangup> {
    return Effect.map(this.answer(words), (reply) => fateOf(reply) === "ok")
  }

  private answer(words: ReadonlyArray<string>): Effect.Effect<Reply.Reply, Connection.Hangup> {
    return Effect.tap(this.ask(...words), (reply) =>
      Effect.sync(() => {
        checkError(reply, this.book)
        count(this.book, fateOf(reply))
      })
    )
  }
}

/** Nothing where there was no answer. */
export const balances = (reply: Reply.Reply): ReadonlyArray<number> =>
  reply._tag === "Multiple" ? reply.items.map((item) => (item._tag === "Bulk" ? Number(item.bytes) : NaN)) : []

export const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((total, each) => total + each, 0)
