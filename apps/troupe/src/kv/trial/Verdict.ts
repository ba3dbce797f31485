/** What a trial came to: each claim of the store held against what its clients saw. */
import { History, Linearizable, Specifications, Timeline, type Verdict } from "@troupe/consistency"
import type { Connection, Reply } from "@troupe/kv"
import { Effect } from "effect"
import { count, number } from "../../terminal/Screen.ts"
import type { Book } from "./Book.ts"
import { accountKeys, balances, receipt, sum, type Work } from "./Clients.ts"

export interface Check {
  readonly name: string
  readonly holds: boolean
  readonly detail: string
}

/** What is in the store when all is over; nothing where it gave no answer. */
export interface Remains {
  readonly balances: ReadonlyArray<number>
  /** Of transfers, by their ids: whether the store has them. */
  readonly receipts: ReadonlyMap<string, boolean>
}

/** Keys that are asked for at once. */
const page = 500

/** Nothing where there was no answer to one of the questions. */
export const collect = (
  ask: Connection.Ask,
  work: Work,
  { applied, inDoubt }: Book
): Effect.Effect<Remains | undefined, Connection.Hangup> =>
  Effect.gen(function* () {
    const receipts = new Map<string, boolean>()
    if (work.accounts === 0) return { balances: [], receipts }
    const note = (ids: ReadonlyArray<string>, reply: Reply.Reply | undefined): boolean => {
      if (reply?._tag !== "Multiple") return false
      ids.forEach((id, index) => receipts.set(id, reply.items[index]?._tag === "Bulk"))
      return true
    }
    for (let from = 0; from < applied.length; from += page) {
      const ids = applied.slice(from, from + page).map(({ id }) => id)
      if (!note(ids, yield* ask("MGET", ...ids.map(receipt)))) return undefined
    }
    // What is in doubt may take place even now: whether it has is asked at the same moment as what the accounts hold.
    const ids = [...inDoubt.keys()]
    yield* ask("RESET")
    yield* ask("MULTI")
    yield* ask("MGET", ...accountKeys(work))
    if (ids.length > 0) yield* ask("MGET", ...ids.map(receipt))
    const reply = yield* ask("EXEC")
    const [accounts, doubts] = reply._tag === "Multiple" ? reply.items : []
    if (accounts === undefined || (ids.length > 0 && !note(ids, doubts))) return undefined
    const found = balances(accounts)
    return found.length === 0 ? undefined : { balances: found, receipts }
  })

export interface Judged {
  readonly checks: ReadonlyArray<Check>
  readonly history: History.History
  readonly verdict: Verdict
}

export const judge = (book: Book, work: Work, remains: Remains | undefined): Judged => {
  const history = History.make(book.events)
  const verdict = Linearizable.check(history, Specifications.register())
  const checks = [linearizable(history, verdict), ...(work.accounts === 0 ? [] : bank(book, work, remains))]
  return { checks: [...checks, answers(book)], history, verdict }
}

const linearizable = ({ operations }: History.History, verdict: Verdict): Check => {
  const open = operations.filter(({ returned }) => returned === Infinity).length
  const some = `${count(operations.length, "read")} and writes of registers`
  return {
    name: "linearizable",
    holds: verdict._tag === "Ok",
    detail: verdict._tag === "Ok" ? `${some}, ${number(open)} of them with no answer` : verdict.reason
  }
}

const bank = (book: Book, work: Work, remains: Remains | undefined): ReadonlyArray<Check> => {
  if (remains === undefined) {
    return [{ name: "the accounts can be read in the end", holds: false, detail: "the store gave no answer" }]
  }
  const opening = work.accounts * work.openingCents
  const wrong = [...book.totals, sum(remains.balances)].find((total) => total !== opening)
  const lost = book.applied.filter(({ id }) => remains.receipts.get(id) !== true)
  const late = [...book.inDoubt.values()].filter(({ id }) => remains.receipts.get(id) === true)
  const expected = new Array<number>(work.accounts).fill(work.openingCents)
  for (const { amount, from, to } of [...book.applied, ...late]) {
    expected[from]! -= amount
    expected[to]! += amount
  }
  const off = expected.findIndex((cents, index) => cents !== remains.balances[index])
  return [
    {
      name: "money is conserved",
      holds: wrong === undefined,
      detail:
        wrong === undefined
          ? `${number(opening)} cents in all accounts, in ${count(book.totals.length, "audit")} and in the end`
          : `${number(opening)} cents in all accounts at first, and ${number(wrong)} later`
    },
    {
      name: "no acknowledged transfer is lost",
      holds: lost.length === 0,
      detail:
        lost.length === 0
          ? `${number(book.applied.length)} applied, ${number(book.declined)} declined for lack of money, ` +
            `${number(book.overtaken)} overtaken by others`
          : `${count(lost.length, "transfer")} of ${number(book.applied.length)}, the first ${lost[0]!.id}`
    },
    {
      name: "each is applied once",
      holds: off < 0,
      detail:
        off < 0
          ? `balances are what the transfers come to; of ${number(book.inDoubt.size)} in doubt ${number(late.length)} took place`
          : `account ${off} holds ${number(remains.balances[off]!)} cents, and its transfers come to ${number(expected[off]!)}`
    }
  ]
}

const answers = ({ problems, answered, unanswered }: Book): Check => ({
  name: "answers are honest",
  holds: problems.length === 0,
  detail:
    problems.length === 0
      ? `${number(answered)} commands answered, ${number(unanswered)} refused or in doubt, and said so`
      : problems[0]!
})

/** Of what is at fault in the history, where something is. */
export const picture = (
  { history, verdict }: Judged,
  options: { readonly width: number; readonly color: boolean }
): ReadonlyArray<string> =>
  verdict._tag === "Violated"
    ? Timeline.terminal(history, { verdict, limit: 12, ...options })
        .trimEnd()
        .split("\n")
    : []
