/**
 * The main job: a bank of five tellers carries out a list of transfers while its leader is killed and comes back; where
 * the lock does not bear that, is killed for good, or resigns.
 *
 * This is the bank's own node. It keeps the ledger, hands the transfers to the tellers in turn, hands those of a teller
 * that died to others, prints what the leader publishes, and audits the run at its end. It knows no transport: `Staff`
 * starts and kills tellers, in this process, in others, or in a simulated world.
 */
import { LamportClock, LogicalClock } from "@troupe/clocks"
import { type ChannelInUse, Transport } from "@troupe/transport"
import { Clock, Context, Deferred, Effect, Layer, Schema } from "effect"
import * as Ledger from "./Ledger.ts"
import { type Accident, accidentOf, type Crew, needsRegister, register } from "./Crew.ts"
import { channel, type Message } from "./Office.ts"
import type { Transfer } from "./Transfer.ts"

/** Starts and kills tellers: the difference between the worlds that the bank runs in. */
export class Staff extends Context.Service<
  Staff,
  {
    readonly tellers: ReadonlyArray<string>
    readonly start: (teller: string) => Effect.Effect<void, StaffFailed>
    /** At once, without a last word: `kill -9` where the teller is a process. */
    readonly kill: (teller: string) => Effect.Effect<void>
    /** Fails when a teller ends that nobody killed. */
    readonly failed: Effect.Effect<never, StaffFailed>
  }
>()("@troupe/cli/bank/Staff") {}

export class StaffFailed extends Schema.TaggedError<StaffFailed>()("StaffFailed", {
  teller: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `The teller ${this.teller} failed: ${this.reason}`
  }
}

export class BankStuck extends Schema.TaggedError<BankStuck>()("BankStuck", {
  left: Schema.Int,
  of: Schema.Int,
  seconds: Schema.Number
}) {
  override get message(): string {
    return `${this.left} of ${this.of} transfers are not done, and none was in the last ${this.seconds} seconds.`
  }
}

export type BankError = StaffFailed | BankStuck | ChannelInUse

export interface Options {
  readonly transfers: ReadonlyArray<Transfer>
  readonly openingCents: number
  /** Over how long the transfers are handed out. */
  readonly paceMillis: number
  readonly accidentAtMillis: number
  readonly returnAtMillis: number
  /** What the tellers use: what befalls the leader goes by that. */
  readonly crew: Crew
  /** Takes each line of the run as it happens. */
  readonly say: (line: string) => Effect.Effect<void>
}

/** The facts of a run, from which the report is made. */
export interface Run {
  readonly ledger: Ledger.Ledger
  readonly openingTotal: number
  readonly tellers: ReadonlyArray<string>
  /** When a leader was first seen, in the order of epochs. */
  readonly leaders: ReadonlyArray<{ readonly id: string; readonly epoch: number; readonly atMillis: number }>
  readonly views: ReadonlyArray<{
    readonly number: number
    readonly members: ReadonlyArray<string>
    readonly atMillis: number
  }>
  readonly accident: {
    readonly kind: Accident
    readonly teller: string
    readonly atMillis: number
    /** None of a teller that was killed for good. */
    readonly returnedAtMillis: number | undefined
  }
  /** The token of that teller's write that arrived late; none, if it had no entry before the latest. */
  readonly late: number | undefined
  /** Stays inside the critical section, by the tellers' clocks; a killed teller's last one ends at its death. */
  readonly stays: ReadonlyArray<{ readonly token: number; readonly fromNanos: number; readonly toNanos: number }>
  /** Submitted again since their teller died or kept silent. */
  readonly resubmitted: number
  readonly balances: number
  readonly durationMillis: number
}

/** Nothing done for so long, and the run is given up. */
const patienceMillis = 20_000

export const run = Effect.fnUntraced(function* (options: Options) {
  const { openingCents, say, transfers } = options
  const staff = yield* Staff
  const transport = yield* Transport
  const clock = yield* LogicalClock
  if (needsRegister(options.crew)) yield* Layer.build(register)
  const ledger = Ledger.make(transfers, openingCents)
  const openingTotal = Ledger.total(ledger)

  const startNanos = Number(yield* Clock.monotonicTimeNanos)
  const monotonic = yield* Clock.Clock
  const nowNanos = (): number => Number(monotonic.monotonicTimeNanosUnsafe())
  const elapsed = (): number => (nowNanos() - startNanos) / 1e6
  /** Before the bank opens, time stands at 0. */
  let openedAt = Infinity
  const sinceOpening = (): number => Math.max(0, elapsed() - openedAt)

  const leaders: Array<Run["leaders"][number]> = []
  const views: Array<Run["views"][number]> = []
  const stays: Array<Run["stays"][number]> = []
  /** Of a killed teller: the stay that its death ended, as far as was heard. */
  let cutShort: { readonly token: number; readonly at: number } | undefined
  const takenNanos = new Map<number, number>()
  const open = new Map<string, { transfer: Transfer; teller: string; atMillis: number }>()
  const up = new Set<string>()
  const ready = yield* Deferred.make<void>()
  const finished = yield* Deferred.make<void>()
  let handedOut = 0
  let done = 0
  let lastDoneAt = Infinity
  let resubmitted = 0
  let balances = 0
  let next = 0
  const lines: Array<string> = []
  const tell = (line: string): void => void lines.push(`${(sinceOpening() / 1000).toFixed(1).padStart(5)} s  ${line}`)

  // ------------------------------------------------------------------------------------------ what the tellers say

  const receive = (from: string, message: Message): Effect.Effect<void> => {
    switch (message._tag) {
      case "Apply": {
        const { sent, token, transfer } = message
        return Effect.map(clock.witness(sent), (taken) => {
          const outcome = Ledger.apply(ledger, { token, node: from, transfer, sent, taken })
          if (outcome !== "refused") takenNanos.set(token, nowNanos())
          send(from, { _tag: "Answer", token, outcome, sent: taken })
        })
      }
      case "Done":
        return Effect.sync(() => {
          const { enteredNanos, leftNanos, token } = message
          // What a teller said before its death may come after it: then it had left.
          const at = cutShort?.token === token ? cutShort.at : stays.length
          stays[at] = { token, fromNanos: enteredNanos, toNanos: leftNanos }
          if (!open.delete(message.id)) return
          done++
          lastDoneAt = elapsed()
          if (done === transfers.length) Deferred.doneUnsafe(finished, Effect.void)
        })
      case "Status":
        return Effect.sync(() => {
          const { leader, members, view } = message
          if (leader !== null && leader.epoch > (leaders.at(-1)?.epoch ?? -1)) {
            leaders.push({ ...leader, atMillis: sinceOpening() })
            tell(`${leader.id} leads, epoch ${leader.epoch}`)
          }
          if (view > (views.at(-1)?.number ?? 0)) {
            views.push({ number: view, members, atMillis: sinceOpening() })
            tell(`the group is ${members.join(" ")}, view ${view}`)
          }
          if (view > 0 && members.includes(from)) up.add(from)
          if (up.size === staff.tellers.length) Deferred.doneUnsafe(ready, Effect.void)
        })
      case "Balance":
        return Effect.sync(() => {
          if (message.epoch < (leaders.at(-1)?.epoch ?? 0))
            return tell(`${from} is no leader any more, its balance line is refused`)
          balances++
          tell(
            `${from}: balance ${cents(Ledger.total(ledger))} over ${ledger.balances.size} accounts, ` +
              `${done} of ${transfers.length} transfers done`
          )
        })
      default:
        return Effect.void
    }
  }
  const context = yield* Effect.context<never>()
  const send = yield* transport.open(channel, (from, message) => {
    Effect.runSyncWith(context)(receive(from, message))
  })

  // -------------------------------------------------------------------------------------------- handing transfers out

  const submit = (transfer: Transfer): void => {
    const living = staff.tellers.filter((teller) => up.has(teller))
    const teller = (living.length > 0 ? living : staff.tellers)[next++ % Math.max(1, living.length)]!
    open.set(transfer.id, { transfer, teller, atMillis: elapsed() })
    send(teller, { _tag: "Submit", transfer })
  }

  const handOut = Effect.gen(function* () {
    const beganAt = elapsed()
    while (handedOut < transfers.length) {
      const due = Math.min(
        transfers.length,
        Math.ceil(transfers.length * Math.min(1, (elapsed() - beganAt + 20) / options.paceMillis))
      )
      // No more than the tellers can hold.
      while (handedOut < due && open.size < 10_000) submit(transfers[handedOut++]!)
      yield* Effect.sleep("20 millis")
    }
  })

  /** A transfer whose teller is dead, or silent for long, goes to another; the ledger applies it once. */
  const again = (due: (entry: { readonly teller: string; readonly atMillis: number }) => boolean): void => {
    for (const entry of [...open.values()]) {
      if (!due(entry)) continue
      resubmitted++
      submit(entry.transfer)
    }
  }

  const print = Effect.gen(function* () {
    for (const line of lines.splice(0)) yield* say(line)
  })

  const watch = Effect.gen(function* () {
    yield* print
    if (elapsed() - lastDoneAt > 5_000) {
      again(({ atMillis }) => elapsed() - atMillis > 5_000)
    }
    if (done < transfers.length && elapsed() - lastDoneAt > patienceMillis) {
      return yield* new BankStuck({
        left: transfers.length - done,
        of: transfers.length,
        seconds: patienceMillis / 1000
      })
    }
    yield* Effect.sleep("50 millis")
  }).pipe(Effect.forever)

  // ---------------------------------------------------------------------------------------- what befalls the leader

  let late: Ledger.Entry | undefined
  let accident: Run["accident"]
  const kill = Effect.fnUntraced(function* (victim: string) {
    up.delete(victim)
    yield* staff.kill(victim)
    tell(`${victim} is killed`)
    const diedNanos = nowNanos()
    // Whether it died inside the section: the ledger has its write, and it never reported to have left.
    const last = ledger.entries.at(-1)
    if (last !== undefined && last.node === victim && !stays.some(({ token }) => token === last.token)) {
      cutShort = { token: last.token, at: stays.length }
      stays.push({ token: last.token, fromNanos: takenNanos.get(last.token)!, toNanos: diedNanos })
    }
    again(({ teller }) => teller === victim)
  })
  const order = (victim: string, message: Message, what: string) =>
    Effect.sync(() => {
      send(victim, message)
      tell(`${victim} ${what}`)
    })

  const mishap = Effect.gen(function* () {
    yield* Effect.sleep(`${options.accidentAtMillis} millis`)
    const kind = accidentOf(options.crew)
    const victim = leaders.at(-1)!.id
    const atMillis = sinceOpening()
    yield* kind === "resignation" ? order(victim, { _tag: "Resign" }, "resigns") : kill(victim)
    yield* Effect.sleep(`${options.returnAtMillis - options.accidentAtMillis} millis`)
    if (kind === "resignation") yield* order(victim, { _tag: "Campaign" }, "stands for election again")
    else if (kind === "crash") {
      yield* staff.start(victim)
      tell(`${victim} is started again`)
    }
    accident = { kind, teller: victim, atMillis, returnedAtMillis: kind === "death" ? undefined : sinceOpening() }
    // A write that it sent before, held up in the network until now.
    late = ledger.entries.findLast(({ node, token }) => node === victim && token < Ledger.highestToken(ledger))
    if (late !== undefined) {
      tell(`a write of ${victim} under its old token ${late.token} arrives late`)
      Ledger.apply(ledger, { ...late, transfer: { ...late.transfer, id: `${late.transfer.id}-late` } })
    }
  })

  yield* Effect.forEach(staff.tellers, staff.start, { discard: true, concurrency: "unbounded" })
  const job = Effect.gen(function* () {
    yield* Deferred.await(ready).pipe(
      Effect.timeoutOrElse({
        duration: "60 seconds",
        orElse: () =>
          Effect.fail(new StaffFailed({ teller: "group", reason: "the tellers did not form a group in a minute" }))
      })
    )
    openedAt = lastDoneAt = elapsed()
    tell(
      `the bank opens: ${staff.tellers.length} tellers, ${transfers.length} transfers, ${cents(openingTotal)} in all`
    )
    yield* Effect.all([handOut, mishap, Deferred.await(finished)], { concurrency: "unbounded", discard: true })
    // The one that came back leads again, if it is the highest.
    yield* Effect.sleep("1500 millis")
  })
  yield* Effect.raceAllFirst([job, watch, staff.failed])
  yield* print
  const result: Run = {
    ledger,
    openingTotal,
    tellers: staff.tellers,
    leaders,
    views,
    accident: accident!,
    late: late?.token,
    stays,
    resubmitted,
    balances,
    durationMillis: sinceOpening()
  }
  return result
}, Effect.provide(LamportClock.layer))

export const cents = (amount: number): string =>
  `${amount < 0 ? "-" : ""}${Math.floor(Math.abs(amount) / 100).toLocaleString("en")}.${String(Math.abs(amount) % 100).padStart(2, "0")}`
