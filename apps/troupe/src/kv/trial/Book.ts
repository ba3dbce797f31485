/** What the clients of a trial were told, as it happened: the facts from which it is judged. */
import type { History } from "@troupe/consistency"

export interface Transfer {
  readonly id: string
  readonly from: number
  readonly to: number
  readonly amount: number
}

export interface Book {
  readonly startedAt: number
  /** Of registers, each under its key. */
  readonly events: Array<History.Event>
  /** Transfers that the store acknowledged. */
  readonly applied: Array<Transfer>
  /** Transfers that were asked for and have no answer, or none that tells. By their ids. */
  readonly inDoubt: Map<string, Transfer>
  /** For lack of money; because another transfer came first. */
  declined: number
  overtaken: number
  /** What all accounts held together, at a moment. */
  readonly totals: Array<number>
  /** Answers that no store should give. */
  readonly problems: Array<string>
  /** Commands that were answered, and those that were refused or that nobody knows the end of. */
  answered: number
  unanswered: number
  /** When the store last acknowledged a write, and the longest that it took to the next one. */
  lastWriteAt: number
  longestPauseMillis: number
  longestPauseFrom: number
}

export const make = (now: number): Book => ({
  startedAt: now,
  events: [],
  applied: [],
  inDoubt: new Map(),
  declined: 0,
  overtaken: 0,
  totals: [],
  problems: [],
  answered: 0,
  unanswered: 0,
  lastWriteAt: now,
  longestPauseMillis: 0,
  longestPauseFrom: now
})

/** As it is now, whatever clients go on to hear. */
export const closed = (book: Book): Book => ({
  ...book,
  events: [...book.events],
  applied: [...book.applied],
  inDoubt: new Map(book.inDoubt),
  totals: [...book.totals]
})

export const wrote = (book: Book, now: number): void => {
  const pause = now - book.lastWriteAt
  if (pause > book.longestPauseMillis) {
    book.longestPauseMillis = pause
    book.longestPauseFrom = book.lastWriteAt
  }
  book.lastWriteAt = now
}

const mostProblems = 20

export const complain = (book: Book, problem: string): void => {
  if (book.problems.length < mostProblems) book.problems.push(problem)
}
