/**
 * The audit of a run: what must hold, each with the figures that show it.
 */
import type { Run } from "./Bank.ts"
import { cardOf, type Crew, noticeOf, remedyOf } from "./Crew.ts"
import * as Ledger from "./Ledger.ts"

export interface Check {
  readonly name: string
  readonly holds: boolean
  readonly detail: string
}

export const audit = (run: Run, transfers: number): ReadonlyArray<Check> => {
  const { entries, outcomes, refused } = run.ledger
  const applied = entries.filter(({ outcome }) => outcome === "applied").length
  const declined = entries.filter(({ outcome }) => outcome === "declined").length
  const repeated = entries.length - applied - declined
  const total = Ledger.total(run.ledger)
  const unordered = entries.findIndex(({ token }, index) => index > 0 && token <= entries[index - 1]!.token)
  const overlap = firstOverlap(run)
  const acausal = entries.filter(({ sent, taken }) => sent.time >= taken.time).length
  return [
    {
      name: "every transfer is carried out once",
      holds: outcomes.size === transfers && applied + declined === transfers,
      detail: `${applied} applied, ${declined} declined for lack of money, ${repeated} submitted again and not repeated`
    },
    {
      name: "money is conserved",
      holds: total === run.openingTotal && [...run.ledger.balances.values()].every((balance) => balance >= 0),
      detail: `${run.openingTotal} cents before, ${total} after, no account below zero`
    },
    {
      name: "tokens strictly increase",
      holds: unordered < 0,
      detail:
        unordered < 0
          ? `${entries.length} entries, tokens ${entries[0]?.token ?? "none"} to ${entries.at(-1)?.token ?? "none"}`
          : `token ${entries[unordered]!.token} after ${entries[unordered - 1]!.token}`
    },
    {
      name: "stale tokens are refused",
      holds:
        (run.late === undefined || refused.some(({ token }) => token === run.late)) &&
        refused.every(({ highest, token }) => token <= highest),
      detail:
        refused.length === 0
          ? "none came"
          : refused
              .slice(0, 3)
              .map(({ highest, node, token }) => `${token} of ${node} after ${highest}`)
              .join(", ")
    },
    {
      name: "no two in the section",
      holds: overlap === undefined,
      detail: overlap ?? `${run.stays.length} stays, none overlaps another`
    },
    {
      name: "effects are later than causes",
      holds: acausal === 0,
      detail:
        acausal === 0
          ? "each write was taken at a higher Lamport time than it was sent at"
          : `${acausal} writes were not taken at a higher Lamport time than they were sent at`
    },
    {
      name: "leadership passes on",
      holds:
        run.leaders.some(({ atMillis, id }) => id !== run.accident.teller && atMillis >= run.accident.atMillis) &&
        run.leaders.every(({ epoch }, index) => index === 0 || epoch > run.leaders[index - 1]!.epoch),
      detail: run.leaders
        .map(({ atMillis, epoch, id }) => `${id} from ${seconds(atMillis)} (epoch ${epoch})`)
        .join(", ")
    }
  ]
}

/** Two stays that share a moment, in words. */
const firstOverlap = ({ stays }: Run): string | undefined => {
  const sorted = [...stays].sort((a, b) => a.fromNanos - b.fromNanos)
  for (let i = 1; i < sorted.length; i++) {
    const before = sorted[i - 1]!
    const after = sorted[i]!
    if (after.fromNanos < before.toNanos) return `the stays under tokens ${before.token} and ${after.token} overlap`
  }
  return undefined
}

const remedy = (mutex: string, views: number): string | undefined => {
  const { title } = cardOf(mutex)
  switch (remedyOf(mutex)) {
    case "views":
      return (
        `${title} needs everyone's answer, so a dead node would starve it. The leader therefore publishes views of ` +
        `who is alive, and each request asks the members of the present view. That took ${views} views, and a message ` +
        `a node to the leader five times a second.`
      )
    case "detector":
      return (
        `${title} would wait for a dead node. A failure detector therefore tells it who is not to be waited for: each ` +
        `node says to all others five times a second that it is there, and is taken for dead after a second of silence.`
      )
    case "nothing":
      return undefined
    case "itself":
      return `${title} waits for a dead holder until its lease runs out.`
  }
}

/** What keeping the lock alive took: the price of drawing membership from who is alive. */
export const costs = (run: Run, crew: Crew): string => {
  const { accident, leaders, views } = run
  const { atMillis: at, kind, teller } = accident
  const successor = leaders.find(({ atMillis, id }) => atMillis >= at && id !== teller)
  const view = views.find(({ atMillis, members }) => atMillis >= at && !members.includes(teller))
  const after = (millis: number | undefined): string =>
    millis === undefined
      ? "never"
      : `${seconds(millis - at)} after the ${kind === "resignation" ? "resignation" : "kill"}`
  const group = kind === "resignation" ? "" : `, new view ${after(view?.atMillis)}`
  return [
    remedy(crew.mutex, views.length),
    noticeOf(crew),
    `The pause: new leader ${after(successor?.atMillis)}${group}.`,
    kind === "resignation"
      ? undefined
      : "A node wrongly taken for dead could overlap the next holder; the fencing tokens make that harmless."
  ]
    .filter((sentence) => sentence !== undefined)
    .join(" ")
}

const seconds = (millis: number): string => `${(millis / 1000).toFixed(1)} s`
