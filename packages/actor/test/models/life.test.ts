/** One actor beside a model of it: whatever it is told, asked and made to do, it does the same at the same moments. */
import { expect, it } from "@effect/vitest"
import { ActorSystem, Behavior, Messages, Supervision } from "@troupe/actor"
import { TestKit } from "@troupe/actor/testing"
import { Cause, Duration, Effect, Exit, Random, References, Schedule, Schema } from "effect"
import { type Act, Life, type Note, Tied, type World } from "./Life.ts"

const fields = { n: Schema.Int, rank: Schema.Int, slow: Schema.Int, acts: Schema.Any, isQuiet: Schema.Any }

const M = Messages.make("m", {
  Do: Messages.tell(fields),
  Ask: Messages.ask(fields, { reply: Schema.String, failure: Schema.String })
})
type M = typeof M.definition
type Told = Messages.Of<typeof M>

type Op = { readonly millis: number } & (
  | { readonly op: "tell"; readonly notes: ReadonlyArray<Note> }
  | { readonly op: "ask"; readonly note: Note; readonly timeout: number }
  | { readonly op: "stop" | "drain" }
)

const endMillis = 30_000

/** What an actor is, and what becomes of it from outside. */
const drawn = (random: () => number) => {
  const below = (most: number): number => Math.floor(random() * most)
  const oneOf = <A>(of: ReadonlyArray<A>): A => of[below(of.length)]!
  const isEffect = oneOf([true, false])
  let n = 0
  const note = (depth: number, _tag: Note["_tag"] = "Do"): Note => {
    const acts = Array.from({ length: below(3) }, () => act(depth, _tag === "Ask"))
    const last = random()
    if (last < 0.25) acts.push({ act: last < 0.13 ? "stash" : "throw" })
    return { _tag, n: ++n, rank: below(3), slow: isEffect && random() < 0.3 ? 1 + below(3_000) : 0, acts }
  }
  const act = (depth: number, isAsked: boolean): Act => {
    if (isAsked && random() < 0.3) return { act: oneOf(["defer", "refuse"]) }
    const [timer, millis] = [oneOf(["x", "y"]), 200 + below(4_000)]
    if (depth > 0 && random() < 0.6) {
      const kind = oneOf(["tell", "tell", "timer", "timer", "interval", "quiet"] as const)
      return { act: kind, timer, millis, note: note(kind === "interval" || kind === "quiet" ? 0 : depth - 1) }
    }
    const kind = oneOf([
      "unstash",
      "unstash",
      "unstash",
      "clear",
      "answer",
      random() < 0.1 ? "stop" : "answer"
    ] as const)
    return kind === "clear" ? { act: kind, timer } : { act: kind }
  }
  const world: World = {
    capacity: oneOf([1, 2, 3, 5, 1_000]),
    onFull: oneOf(["drop-newest", "drop-oldest", "fail"]),
    isRanked: oneOf([true, false]),
    isEffect,
    handlerMillis: isEffect && random() < 0.3 ? 500 + below(2_000) : 0,
    unable: random() < 0.3 ? [1 + below(3)] : [],
    fails: oneOf(["resume", "stop", "restart", "restart", "restart kept", "restart kept"]),
    limit: oneOf([0, 1, 3, 100]),
    withinMillis: oneOf([3_000, 60_000]),
    backoffMillis: random() < 0.5 ? 1 + below(1_500) : 0
  }
  const ops: Array<Op> = []
  for (let millis = 1; ops.length < 14; millis += 1 + below(2_000)) {
    const drawn = random()
    if (drawn < 0.65) ops.push({ millis, op: "tell", notes: Array.from({ length: 1 + below(5) }, () => note(2)) })
    else if (drawn < 0.95) ops.push({ millis, op: "ask", note: note(2, "Ask"), timeout: 1 + below(4_000) })
    else ops.push({ millis, op: oneOf(["stop", "drain"]) })
  }
  return { world, ops }
}

const modelled = ({ ops, world }: ReturnType<typeof drawn>): Life => {
  const life = new Life(world)
  for (const op of ops) {
    life.until(op.millis)
    if (op.op === "tell") for (const note of op.notes) life.tell(note)
    else if (op.op === "ask") life.ask(op.note, op.timeout)
    else life[op.op]()
    life.run()
  }
  life.until(endMillis)
  return life
}

/** The actor that the model is of. */
const actor = (world: World, say: (what: string) => void): Behavior.Behavior<M> => {
  const deferred: Array<Behavior.Answer<string, string>> = []
  let starts = 0
  const init = (): number => {
    if (world.unable.includes(++starts)) throw new Error("unable")
    say("begins")
    return 0
  }
  const perform = (act: Act, self: Behavior.Asked<M, string, string>, isAsked: boolean): object | undefined => {
    switch (act.act) {
      case "tell":
        return void self.ref.tell(act.note as never)
      case "timer":
        return void self.setTimer(act.timer, act.millis, act.note as never)
      case "interval":
        return void self.setInterval(act.timer, act.millis, act.note as never)
      case "clear":
        return void self.clearTimer(act.timer)
      case "quiet":
        return void self.setReceiveTimeout(act.millis, { ...act.note, isQuiet: true } as never)
      case "stash":
        return { later: self.stash() }
      case "defer": {
        if (!isAsked) return
        const later = self.defer()
        deferred.push(later)
        return { later }
      }
      case "answer":
        return void deferred.shift()?.reply("reply")
      case "refuse":
        return { failure: "refused" }
      case "throw":
        throw new Error("ill")
      case "stop":
        return void self.stop()
      case "unstash":
        return void self.unstash()
    }
  }
  const step = (count: number, { _tag, acts, isQuiet, n }: Told, self: Behavior.Self<M>): any => {
    say(`does ${n} after ${count}${isQuiet === true ? ", as it was quiet" : ""}`)
    let answer: object = { reply: "reply" }
    for (const act of acts as ReadonlyArray<Act>) {
      const given = perform(act, self as never, _tag === "Ask" && !("later" in answer))
      if (given !== undefined && !("later" in answer)) answer = given
    }
    return _tag === "Ask" ? { state: count + 1, ...answer } : count + 1
  }
  const { capacity, handlerMillis, isEffect, isRanked, onFull } = world
  const mailbox = { capacity, onFull, ...(isRanked ? { priority: ({ rank }: Told) => rank } : {}) }
  const shared = { mailbox, onStop: (count: number) => say(`has ended after ${count}`) }
  if (!isEffect) return Behavior.make(M, { ...shared, init, on: { Do: step, Ask: step } })
  const slowly = (count: number, told: Told, self: Behavior.Self<M>) => {
    const done = Effect.sync(() => step(count, told, self))
    return told.slow > 0 ? Effect.andThen(Effect.sleep(told.slow), done) : done
  }
  return Behavior.effect(M, {
    ...shared,
    ...(handlerMillis > 0 ? { handlerTimeout: handlerMillis } : {}),
    init: () => Effect.sync(init),
    on: { Do: slowly, Ask: slowly }
  })
}

const supervisionOf = ({ backoffMillis, fails, limit, withinMillis: within }: World, say: (what: string) => void) => {
  const backoff = backoffMillis > 0 ? { backoff: Schedule.exponential(Duration.millis(backoffMillis)) } : {}
  const state = fails === "restart kept" ? "kept" : "reset"
  const restart = Supervision.restart({ limit, within, state, ...backoff })
  return Supervision.decide(() => {
    say("fails")
    if (fails === "resume") return Supervision.resume
    return fails === "stop" ? Supervision.stop : restart
  })
}

const lived = ({ ops, world }: ReturnType<typeof drawn>) =>
  Effect.gen(function* () {
    const { nowMillis } = yield* TestKit.TestKit
    const began = nowMillis()
    const log: Array<string> = []
    const say = (what: string): void => void log.push(`${nowMillis() - began} ${what}`)
    const system = yield* ActorSystem.ActorSystem
    const ref = yield* ActorSystem.spawn(actor(world, say), { supervision: supervisionOf(world, say) })
    for (const op of ops) {
      yield* TestKit.adjust(op.millis + began - nowMillis())
      if (op.op === "tell") {
        for (const note of op.notes) {
          try {
            ref.tell(note as never)
          } catch {
            say(`${note.n} is refused`)
          }
        }
      } else if (op.op === "ask") {
        const asking = Effect.exit(ref.ask(op.note as never, { timeout: op.timeout }))
        const heard = Effect.map(asking, (exit) => {
          const failure = Exit.isSuccess(exit) ? undefined : (Cause.squash(exit.cause) as string & { _tag?: string })
          say(`${op.note.n} ends: ${failure === undefined ? "reply" : (failure._tag ?? failure)}`)
        })
        yield* Effect.forkChild(heard, { startImmediately: true })
      } else yield* Effect.forkChild(system.stop(ref, { drain: op.op === "drain" }), { startImmediately: true })
      yield* TestKit.settle
    }
    yield* TestKit.adjust(endMillis + began - nowMillis())
    return { log: [...log], dead: system.counters().deadLetters }
  })

/** Who waits for an answer hears of it beside what the actor does at that moment. */
const apart = (log: ReadonlyArray<string>) => {
  const ends = log.filter((line) => line.includes("ends:"))
  return { does: log.filter((line) => !line.includes("ends:")), ends: [...ends].sort() }
}

const run = (seed: number) =>
  Effect.gen(function* () {
    const { nextDoubleUnsafe } = yield* Effect.service(Random.Random)
    const program = drawn(() => nextDoubleUnsafe())
    let life: Life
    try {
      life = modelled(program)
    } catch (error) {
      if (error instanceof Tied) return 0
      throw error
    }
    const { dead, log } = yield* lived(program)
    expect({ seed, program, ...apart(log), dead }).toEqual({ seed, program, ...apart(life.log), dead: life.dead })
    return 1
  }).pipe(Effect.provide(TestKit.layer({ seed })), Effect.provideService(References.MinimumLogLevel, "None"))

it.live("an actor does, in time, what the model does, 100 programs", () =>
  Effect.gen(function* () {
    let compared = 0
    for (let seed = 1; compared < 100; seed++) compared += yield* run(seed)
  })
)
