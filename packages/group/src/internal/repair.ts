/**
 * How what was lost is found and sent again, and how members learn what all of them have.
 *
 * A member that has received something says so, to all, after a while or after so many messages. Whoever sees a gap, between
 * two messages or between what it has and what another reports, asks the sender for what is missing, and then the others
 * who have it. While something is not with everybody, and nobody says anything, those are asked who were not heard of: so
 * the loss of a last message, or of a report, is found too; and a group where nothing is under way is silent.
 */
import * as Log from "./log.ts"
import { received, type State } from "./state.ts"
import type { Step } from "./step.ts"
import { onTransferTick } from "./transfer.ts"
import type { Gone, Missing, Numbered, Repair, Report } from "./wire.ts"

/** How many messages one request is answered with. */
const repairsAtOnce = 32

const slowest = 32

// ----------------------------------------------------------------------------------------------------------------- reports

/** After a message of another has been taken. */
export const owe = (step: Step<any>): void => {
  const { options, s } = step
  if (++s.unreported === 1) step.act.setTimer("report", options.reportMillis)
}

/** Says at once what this node has, if that has become much. */
export const reportMuch = (step: Step<any>): void => {
  if (step.s.unreported >= step.options.reportEvery) reportDue(step)
}

/** Says what this node has, unless it lags: senders go on when all members have said that they have what was sent. */
export const reportDue = (step: Step<any>): void => {
  const { s } = step
  if (s.unreported === 0 || !step.mayUse() || isLagging(step)) return
  step.act.sendAll(s.others, report(step, false))
}

export const isLagging = ({ options, orders, s }: Step<any>): boolean =>
  s.lag + Log.size(s.withheld) + orders.waiting(s.order) >= options.maxWaiting

/** The application lags by so many deliveries. Once it has caught up, senders need not wait for a timer to hear of it. */
export const onLag = (step: Step<any>, count: number): void => {
  const wasLagging = isLagging(step)
  step.s.lag = count
  if (wasLagging) reportDue(step)
}

const report = (step: Step<any>, asks: boolean): Report => {
  const { s } = step
  if (!isLagging(step)) {
    s.told = s.streams.map(received)
    s.unreported = 0
  } else {
    s.told = s.streams.map((stream, rank) => (rank === s.rank ? received(stream) : (s.told[rank] ?? 0)))
  }
  return { _tag: "Report", view: s.view!.number, received: s.told, asks }
}

export const onReport = (step: Step<any>, rank: number, { asks, received: theirs }: Report): void => {
  const { s } = step
  if (theirs.length !== s.streams.length) return
  const reports = s.reports.slice()
  const earlier = reports[rank]!
  reports[rank] = earlier.length === 0 ? theirs : theirs.map((count, i) => Math.max(count, earlier[i]!))
  s.reports = reports
  for (let i = 0; i < theirs.length; i++) {
    if (i !== s.rank && step.admits(i, theirs[i]!)) hearOf(step, i, theirs[i]!, rank)
    step.raiseStable(i)
  }
  if (asks) step.act.send(step.members[rank]!, report(step, false))
}

/** Asks those who have not said that they have all that this node has. */
const askForReports = (step: Step<any>): void => {
  const { s } = step
  let question: Report | undefined
  for (let i = 0; i < s.reports.length; i++) {
    if (i === s.rank) continue
    const has = s.reports[i]!
    if (!s.streams.some((stream, k) => k !== i && (has[k] ?? 0) < received(stream))) continue
    question ??= report(step, true)
    step.act.send(step.members[i]!, question)
  }
}

// -------------------------------------------------------------------------------------------------------------------- gaps

/** There are messages of this stream up to `sequence`, as `teller` knows. */
export const hearOf = (step: Step<any>, rank: number, sequence: number, teller: number): void => {
  const stream = step.s.streams[rank]!
  if (sequence > stream.known) step.stream(rank).known = sequence
  // Whoever else has it may still give it to this node.
  else if (stream.looks >= 0 || teller === rank || sequence <= received(stream)) return
  if (sequence > received(stream)) look(step, rank)
}

/** Begins to look after the gap of a stream, where nobody does. */
const look = (step: Step<any>, rank: number): void => {
  const { s } = step
  if (s.streams[rank]!.looks <= 0) step.stream(rank).looks = 1
  if (s.looking > 0) return
  s.looking = 1
  step.act.setTimer("ask", step.options.askMillis)
}

/** Something has come for a stream: if it still has a gap, that is another one. */
const refresh = (step: Step<any>, rank: number): void => {
  const stream = step.s.streams[rank]!
  if (stream.looks === 0) return
  step.stream(rank).looks = 0
  if (step.s.looking > 1) step.s.looking = 1
  if (stream.known > received(stream)) look(step, rank)
}

/** A message is told of that is not on its way: asks for it at once. */
export const askNow = (step: Step<any>, rank: number, sequence: number): void => {
  const stream = step.stream(rank)
  stream.known = sequence
  if (sequence <= received(stream)) return
  look(step, rank)
  stream.looks = 3
  stream.askingSince = step.act.monotonic()
  askFor(step, rank, 0)
}

/** A gap that was there last time is asked about now. */
export const onAskTimeout = (step: Step<any>): void => {
  const { act, options, s } = step
  let isOpen = false
  for (let rank = 0; rank < s.streams.length && s.failed === undefined; rank++) {
    const { known, looks, askingSince } = s.streams[rank]!
    if (known <= received(s.streams[rank]!) || looks === -1) continue
    isOpen = true
    const stream = step.stream(rank)
    stream.looks = looks + 1
    // It may be on its way.
    if (looks <= 1) continue
    if (looks === 2) stream.askingSince = act.monotonic()
    const isLate = looks > 2 && act.monotonic() - askingSince >= options.gapTimeoutMillis
    // At the end of a view another view comes, if nobody answers.
    if (isLate && s.flush === undefined) giveUp(step, rank)
    else askFor(step, rank, looks - 2)
  }
  if (!isOpen || s.failed !== undefined) s.looking = 0
  else {
    act.setTimer("ask", options.askMillis * Math.min(slowest, 2 ** (s.looking - 1)))
    s.looking++
  }
}

/** Who can be asked for the next message of a stream: its sender first. At the end of a view, survivors who have it. */
const providers = (step: Step<any>, rank: number): ReadonlyArray<number> => {
  const { declared, flush, reports, rank: self, streams } = step.s
  const next = received(streams[rank]!) + 1
  if (flush !== undefined) {
    return flush.survivors.filter((i) => i !== self && (declared[i]?.received[rank] ?? 0) >= next)
  }
  const others = reports.flatMap((has, i) => (i !== self && i !== rank && (has[rank] ?? 0) >= next ? [i] : []))
  return rank === self ? others : [rank, ...others]
}

const askFor = (step: Step<any>, rank: number, turn: number): void => {
  const { s } = step
  const asked = providers(step, rank)
  const stream = s.streams[rank]!
  const from = received(stream) + 1
  const beyond = s.ahead.reduce(
    (least, each) => (each.rank === rank ? Math.min(least, each.message.sequence - 1) : least),
    stream.known
  )
  const request: Missing = { _tag: "Missing", view: s.view!.number, rank, from, to: beyond }
  step.act.send(step.members[asked[turn % asked.length]!]!, request)
}

/** Whoever else has the message has delivered it, or will: without it this node cannot go on beside them. */
const giveUp = (step: Step<any>, rank: number): void => {
  const [, other] = providers(step, rank)
  const from = step.members[rank]!
  const sequence = received(step.s.streams[rank]!) + 1
  if (other !== undefined) {
    return step.fail(
      `message ${sequence} of ${from}, which ${step.members[other]} has, could not be had within ` +
        `${step.options.gapTimeoutMillis} ms. Let this node join anew.`
    )
  }
  step.stream(rank).looks = -1
  step.act.emit({ _tag: "Lost", from, sequence })
}

/** It may have come since it was asked for. If not, an earlier life of this node has had it. */
export const onGone = (step: Step<any>, teller: number, { rank, sequence }: Gone): void => {
  const { members, s } = step
  if (s.streams[rank] === undefined || received(s.streams[rank]) >= sequence) return
  step.fail(
    `${members[teller]} does not keep message ${sequence} of ${members[rank]}, which this node lacks: ` +
      `an earlier life of it had that. Let it join anew.`
  )
}

export const onMissing = (step: Step<any>, asker: number, { from, rank, to }: Missing): void => {
  const { act, members, s } = step
  const log = s.streams[rank]?.log
  if (log === undefined) return
  const view = s.view!.number
  if (from < log.first) return act.send(members[asker]!, { _tag: "Gone", view, rank, sequence: from })
  const end = Math.min(to + 1, log.next, from + repairsAtOnce)
  for (let sequence = from; sequence < end; sequence++) {
    act.send(members[asker]!, { _tag: "Repair", view, rank, message: Log.get(log, sequence)! })
  }
}

// --------------------------------------------------------------------------------------------------------------- messages

/** A message of a stream, whichever way it came. */
export const onNumbered = <P>(step: Step<P>, rank: number, message: Numbered<P>, repaired: boolean): void => {
  const { s } = step
  const stream = s.streams[rank]!
  if (rank === s.rank) return
  if (stream.life !== message.life) {
    if (stream.life !== 0) return refuse(step, rank, message, repaired)
    step.stream(rank).life = message.life
  }
  const { next } = stream.log
  if (message.sequence < next) return
  if (message.sequence > next || !step.admits(rank, next)) return keepAhead(step, rank, message)
  step.take(rank, message)
  owe(step)
  if (s.ahead.length > 0) takeAhead(step, rank)
  refresh(step, rank)
  step.sendControls()
}

export const onRepair = <P>(step: Step<P>, { message, rank }: Repair<P>): void => {
  if (step.s.streams[rank] !== undefined) onNumbered(step, rank, message, true)
}

const refuse = (step: Step<any>, rank: number, { life }: Numbered<unknown>, repaired: boolean): void => {
  const { s } = step
  s.refused = { ...s.refused, strangers: s.refused.strangers + 1 }
  if (!repaired) step.act.send(step.members[rank]!, { _tag: "Stranger", view: s.view!.number, life })
}

const keepAhead = <P>(step: Step<P>, rank: number, message: Numbered<P>): void => {
  const { options, s } = step
  const { sequence } = message
  if (s.ahead.some((each) => each.rank === rank && each.message.sequence === sequence)) return
  if (s.ahead.length >= options.maxEarly) s.refused = { ...s.refused, overflow: s.refused.overflow + 1 }
  else s.ahead = [...s.ahead, { rank, message }]
  if (step.admits(rank, sequence)) hearOf(step, rank, sequence, rank)
}

/** Takes what had come beyond a gap that is closed. */
export const takeAhead = (step: Step<any>, rank: number): void => {
  const { s } = step
  for (;;) {
    const { next } = s.streams[rank]!.log
    const found = s.ahead.find((each) => each.rank === rank && each.message.sequence === next)
    if (found === undefined || !step.admits(rank, next)) return
    s.ahead = s.ahead.filter((each) => each.rank !== rank || each.message.sequence > next)
    step.take(rank, found.message)
    owe(step)
  }
}

// ------------------------------------------------------------------------------------------------------------------ ticks

export const isUnderWay = ({ streams }: State): boolean => streams.some((stream) => received(stream) > stream.stable)

export const onTick = (step: Step<any>, declareAgain: (step: Step<any>) => void): void => {
  const { options, orders, s } = step
  const isWaiting = orders.waiting(s.order) > 0
  const isTransferring = s.joining !== undefined || s.snapshots.length > 0
  s.ticking = isWaiting || isUnderWay(s) || s.flush !== undefined || isTransferring
  if (!s.ticking) {
    s.quiet = 0
    return
  }
  s.quiet++
  if (s.flush !== undefined) declareAgain(step)
  else {
    if (s.quiet > 1) askForReports(step)
    else reportDue(step)
    if (isWaiting && orders.tick !== undefined) {
      s.order = orders.tick(s.order, step)
      step.sendControls()
    }
  }
  if (isTransferring) onTransferTick(step)
  step.act.setTimer("tick", options.tickMillis * Math.min(slowest, 2 ** Math.max(0, s.quiet - 2)))
}
