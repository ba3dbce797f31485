/** An actor that goes to and fro between two nodes under load, its mailbox full each time. */
import { type ActorRef, ActorSystem, Behavior, Messages, Migration } from "@troupe/actor"
import { Effect, Exit, Schema } from "effect"

export const Tally = Messages.make("tally", {
  Add: Messages.tell({ from: Schema.String, number: Schema.Int }),
  Tick: Messages.tell({}),
  Count: Messages.ask({}, { reply: Schema.Struct({ count: Schema.Int, ticks: Schema.Int, misplaced: Schema.Int }) })
})

const State = Schema.Struct({
  count: Schema.Int,
  ticks: Schema.Int,
  misplaced: Schema.Int,
  last: Schema.Record(Schema.String, Schema.Int)
})

const none: typeof State.Type = { count: 0, ticks: 0, misplaced: 0, last: {} }

export const tally = Migration.movable("tally", {
  behavior: Behavior.make(Tally, {
    init: (self): typeof State.Type => {
      self.setInterval("tick", "10 millis", { _tag: "Tick" })
      return none
    },
    on: {
      Add: (state, { from, number }) => ({
        ...state,
        count: state.count + 1,
        misplaced: state.misplaced + (number === (state.last[from] ?? 0) + 1 ? 0 : 1),
        last: { ...state.last, [from]: number }
      }),
      Tick: (state) => ({ ...state, ticks: state.ticks + 1 }),
      Count: (state) => {
        const { last: _, ...reply } = state
        return { state, reply }
      }
    }
  }),
  state: State
})

export const Driver = Messages.make("driver", {
  /** Tells it so much from here, all the time. */
  Load: Messages.tell({ ref: ActorSystem.Ref(Tally), perSecond: Schema.Int }),
  More: Messages.tell({}),
  /** How many it was told. */
  Stop: Messages.ask({}, { reply: Schema.Int }),
  /** Fills its mailbox, and has it leave before it takes any of that. */
  Push: Messages.ask({ ref: ActorSystem.Ref(Tally), count: Schema.Int, to: Schema.String }, { reply: Schema.Boolean })
})

interface Driving {
  readonly ref: ActorRef<typeof Tally.definition> | undefined
  readonly perSecond: number
  readonly since: number
  readonly sent: number
  readonly pushed: number
}

/** What each of the nodes has. */
export const drive = Effect.gen(function* () {
  const migration = yield* Migration.Migration
  const system = yield* ActorSystem.ActorSystem
  const context = yield* Effect.context<never>()
  const more = (state: Driving, name: string, now: number): Driving => {
    const due = Math.floor(((now - state.since) * state.perSecond) / 1000)
    for (let number = state.sent + 1; number <= due; number++) state.ref!.tell({ _tag: "Add", from: name, number })
    return { ...state, sent: Math.max(state.sent, due) }
  }
  return (name: string) =>
    system.spawn(
      Behavior.make(Driver, {
        init: (): Driving => ({ ref: undefined, perSecond: 0, since: 0, sent: 0, pushed: 0 }),
        on: {
          Load: (state, { perSecond, ref }, self) => {
            self.setInterval("more", "5 millis", { _tag: "More" })
            return { ...state, ref, perSecond, since: self.now() }
          },
          More: (state, _, self) => more(state, `load ${name}`, self.now()),
          Stop: (state, _, self) => {
            self.clearTimer("more")
            return { state, reply: state.sent }
          },
          Push: (state, { count, ref, to }, self) => {
            const pushed = state.pushed + count
            for (let number = state.pushed + 1; number <= pushed; number++) {
              ref.tell({ _tag: "Add", from: `push ${name}`, number })
            }
            const later = self.defer()
            const moving = Effect.exit(migration.move(ref, { to, kind: "strong" }))
            Effect.runForkWith(context)(Effect.map(moving, (exit) => later.reply(Exit.isSuccess(exit))))
            return { state: { ...state, pushed }, later }
          }
        }
      }),
      { name: "driver" }
    )
})

export const moves = 100
export const waiting = 200

/** Goes there and back, as seen from "n1". */
export const shuttle = Effect.gen(function* () {
  const ref = yield* Migration.spawn(tally)
  const system = yield* ActorSystem.ActorSystem
  const drivers = {
    n1: yield* system.at(Driver, "driver"),
    n2: yield* system.at(Driver, "driver", "n2")
  }
  // Each has an address of its own.
  const there = yield* Migration.move(ref, { to: "n2", kind: "strong" })
  const addresses = { n1: ref, n2: there }
  for (const node of ["n1", "n2"] as const) {
    drivers[node].tell({ _tag: "Load", ref: addresses[node], perSecond: 500 })
  }
  for (let move = 1; move < moves; move++) {
    const [from, to] = move % 2 === 1 ? (["n2", "n1"] as const) : (["n1", "n2"] as const)
    const hasMoved = yield* drivers[from].ask({ _tag: "Push", ref: addresses[from], count: waiting, to })
    if (!hasMoved) return yield* Effect.die(new Error(`move ${move} failed`))
  }
  const loads = yield* Effect.forEach(["n1", "n2"] as const, (node) => drivers[node].ask({ _tag: "Stop" }))
  const sent = loads[0]! + loads[1]! + (moves - 1) * waiting
  let found = yield* ref.ask({ _tag: "Count" })
  // What was told elsewhere may still be under way.
  for (let looks = 0; found.count < sent && looks < 200; looks++) {
    yield* Effect.sleep("5 millis")
    found = yield* ref.ask({ _tag: "Count" })
  }
  const { ticks } = found
  while (found.ticks === ticks) {
    yield* Effect.sleep("5 millis")
    found = yield* ref.ask({ _tag: "Count" })
  }
  return { ...found, sent, loads }
})
