/**
 * An actor that moves about between nodes while all of them tell it things, in simulated worlds where messages are lost,
 * nodes crash, or are taken for dead though they live.
 *
 * It counts its handlers' runs: a run that does not go on where the one before ended, though the copy of that lives, is of a
 * second actor. It is registered with receptionists, and no node may list it twice; in the end all list it where it is.
 */
import { type ActorRef, Behavior, Messages, Migration, Receptionist } from "@troupe/actor"
import { Faults } from "@troupe/simulation"
import { Effect, Exit, Fiber, Layer, Random, References, Schema } from "effect"
import type { Phase } from "../src/internal/migration/Resident.ts"
import { inWorld, type World } from "../test/migration/support.ts"

const Traveller = Messages.make("traveller", {
  Note: Messages.tell({ from: Schema.String, number: Schema.Int }),
  Heard: Messages.ask({}, { reply: Schema.Struct({ at: Schema.String, count: Schema.Int }) })
})

const Carried = Schema.Struct({
  runs: Schema.Int,
  count: Schema.Int,
  last: Schema.Record(Schema.String, Schema.Int)
})
type Carried = typeof Carried.Type

type Ref = ActorRef<typeof Traveller.definition>

const Travellers = Receptionist.key(Traveller)

/** What goes wrong besides messages that are late. */
export type Trouble = "loss" | "crashes" | "suspicions"

export interface Outcome {
  readonly violations: ReadonlyArray<string>
  readonly worstMillis: number
  readonly moves: number
}

const nodes = ["n1", "n2", "n3"]
const busyMillis = 4_000
export const boundMillis = 15_000

/** Sees each run of a handler, wherever. */
class Watch {
  readonly violations = new Set<string>()
  private readonly lives = new Map<string, number>()
  private last: { readonly copy: string; readonly runs: number } | undefined
  private readonly isExact: boolean
  private readonly mayFork: boolean

  constructor(trouble: Trouble) {
    this.isExact = trouble === "loss"
    this.mayFork = trouble === "suspicions"
  }

  live(node: string): string {
    const life = (this.lives.get(node) ?? 0) + 1
    this.lives.set(node, life)
    return `${node}/${life}`
  }

  die(node: string): void {
    this.lives.set(node, this.lives.get(node)! + 1)
  }

  private isDead(copy: string): boolean {
    const [node, life] = copy.split("/") as [string, string]
    return this.lives.get(node) !== Number(life)
  }

  run(copy: string, { runs }: Carried): void {
    const { last } = this
    this.last = { copy, runs: runs + 1 }
    if (last === undefined || last.copy === copy || last.runs === runs || this.mayFork) return
    if (!this.isDead(last.copy)) this.violations.add("two copies live")
    else if (runs > last.runs) this.violations.add("a copy is ahead of what was done")
  }

  note({ last }: Carried, from: string, number: number): void {
    const before = last[from] ?? 0
    if (this.mayFork) return
    if (number <= before) this.violations.add("doubled or reordered")
    else if (this.isExact && number !== before + 1) this.violations.add("lost")
  }
}

const travellerOf = (watch: Watch, copy: string) =>
  Migration.movable("traveller", {
    behavior: Behavior.make(Traveller, {
      init: (): Carried => ({ runs: 0, count: 0, last: {} }),
      on: {
        Note: (carried, { from, number }) => {
          watch.run(copy, carried)
          watch.note(carried, from, number)
          return {
            runs: carried.runs + 1,
            count: carried.count + 1,
            last: { ...carried.last, [from]: number }
          }
        },
        Heard: (carried) => {
          watch.run(copy, carried)
          const state = { ...carried, runs: carried.runs + 1 }
          return { state, reply: { at: copy, count: carried.count } }
        }
      }
    }),
    state: Carried
  })

const phaseAt = ({ agent }: World, node: string): Phase | undefined => [...agent(node).residents.values()][0]?.phase

/** The nodes at which a node lists it. */
const listedBy = ({ on }: World, node: string): Effect.Effect<ReadonlyArray<string>> =>
  on(
    node,
    Effect.map(Receptionist.Receptionist, (receptionist) =>
      receptionist.listing(Travellers).map(({ path }) => (path.includes(":") ? path.split(":")[0]! : node))
    )
  )

const isAlive = (phase: Phase | undefined): boolean =>
  phase?._tag === "Live" || phase?._tag === "Freezing" || phase?._tag === "Leaving"

/** Whether one is sure to live on when a node crashes: one that lives elsewhere, or is held where this node hands it to. */
const livesOn = (world: World, crashing: string, others: ReadonlyArray<string>): boolean => {
  const there = phaseAt(world, crashing)
  return others.some((node) => {
    const phase = phaseAt(world, node)
    // It lives where it has gone to, and the word of that is under way.
    if (phase?._tag === "Leaving" && phase.isCommitted && isAlive(there)) return false
    if (phase?._tag !== "Arriving") return isAlive(phase)
    return phase.from === crashing && there?._tag === "Leaving" && there.epoch === phase.epoch
  })
}

const between = (low: number, high: number): Effect.Effect<number> => Random.nextIntBetween(low, high)

const oneOf = <A>(all: ReadonlyArray<A>): Effect.Effect<A> =>
  Effect.map(Random.nextIntBetween(0, all.length - 1), (at) => all[at]!)

const pause = (low: number, high: number): Effect.Effect<void> =>
  Effect.flatMap(between(low, high), (millis) => Effect.sleep(millis))

export const run = async (trouble: Trouble, seed: number): Promise<Outcome> => {
  const watch = new Watch(trouble)
  const movables = new Map<string, ReturnType<typeof travellerOf>>()
  const refs = new Map<string, Ref>()
  const up = new Set(nodes)
  let moves = 0
  let sent = 0
  let isBusy = true
  let worstMillis = 0

  const send = (node: string, asking: Array<Fiber.Fiber<unknown, unknown>>) =>
    Effect.gen(function* () {
      for (let number = 1; isBusy; number++) {
        const ref = up.has(node) ? refs.get(node) : undefined
        if (ref !== undefined) {
          sent++
          ref.tell({ _tag: "Note", from: node, number })
          if (number % 10 === 0) {
            asking.push(yield* Effect.forkDetach(Effect.exit(ref.ask({ _tag: "Heard" }, { timeout: "20 seconds" }))))
          }
        }
        yield* pause(1, 20)
      }
    })

  const wander = ({ on }: World) =>
    Effect.gen(function* () {
      while (isBusy) {
        const at = yield* oneOf([...up].filter((node) => refs.has(node)))
        const to = yield* oneOf(nodes)
        const kind = yield* oneOf(["weak", "strong"] as const)
        const ref = at === undefined ? undefined : refs.get(at)
        if (ref !== undefined) {
          // A node that crashes says nothing.
          const moved = yield* Effect.exit(Effect.timeout(on(at, Migration.move(ref, { to, kind })), "4 seconds"))
          if (Exit.isSuccess(moved) && refs.get(at) === ref) {
            moves++
            if (!moved.value.path.includes(":")) refs.set(at, moved.value)
          }
        }
        yield* pause(0, 60)
      }
    })

  const suspect = ({ down }: World) =>
    Effect.gen(function* () {
      for (let i = 0; i < 3; i++) {
        yield* pause(200, 1_000)
        const at = yield* oneOf(nodes)
        yield* down(at, yield* oneOf(nodes.filter((node) => node !== at)))
      }
    })

  /** Whether one is left, for sure. */
  const crash = (world: World) =>
    Effect.gen(function* () {
      let isLeft = true
      const { down, simulator } = world
      for (let i = 0; i < 2; i++) {
        yield* pause(300, 1_500)
        const node = yield* oneOf(nodes)
        const others = [...up].filter((other) => other !== node)
        isLeft = livesOn(world, node, others)
        yield* simulator.crash(node)
        up.delete(node)
        refs.delete(node)
        watch.die(node)
        for (const other of [...up]) {
          yield* pause(10, 300)
          yield* down(other, node)
        }
        yield* pause(10, 500)
        yield* simulator.restart(node)
        yield* Effect.sleep("1 millis")
        up.add(node)
      }
      return isLeft
    })

  /** Is it listed, at any moment, more than once? */
  const look = (world: World) =>
    Effect.gen(function* () {
      while (isBusy) {
        for (const node of up) {
          if ((yield* listedBy(world, node)).length > 1) watch.violations.add("listed twice")
        }
        yield* Effect.sleep("5 millis")
      }
    })

  /** In the end each node lists it where it lives, if it does; comparisons may be lost, too. */
  const agree = (world: World) =>
    Effect.gen(function* () {
      let isAgreed = false
      for (let millis = 0; millis < 5_000 && !isAgreed; millis += 50) {
        yield* Effect.sleep("50 millis")
        const alive = nodes.filter((node) => isAlive(phaseAt(world, node)))
        const listed = yield* Effect.forEach(nodes, (node) => listedBy(world, node))
        isAgreed = listed.every((each) => each.join() === alive.join())
      }
      if (!isAgreed) watch.violations.add("it is not listed where it is")
    })

  const body = (world: World) =>
    Effect.gen(function* () {
      const { on } = world
      const ref = yield* on("n1", Migration.spawn(movables.get("n1")!))
      yield* on(
        "n1",
        Effect.flatMap(Receptionist.Receptionist, (receptionist) => receptionist.register(Travellers, ref))
      )
      refs.set("n1", ref)
      // Each node has an address of it, so that what they tell it gets as far as there.
      for (const node of ["n2", "n3"]) {
        const there = yield* on("n1", Migration.move(ref, { to: node, kind: "strong" }))
        refs.set(node, yield* on(node, Migration.fetch(there, { kind: "strong" })))
      }
      const asking: Array<Fiber.Fiber<Exit.Exit<unknown, unknown>>> = []
      const working = yield* Effect.forkChild(
        Effect.all([...nodes.map((node) => send(node, asking)), wander(world), look(world)], {
          concurrency: "unbounded"
        })
      )
      const stop = Effect.andThen(
        Effect.sleep(busyMillis),
        Effect.sync(() => (isBusy = false))
      )
      const trouble_ =
        trouble === "crashes"
          ? crash(world)
          : trouble === "suspicions"
            ? Effect.as(suspect(world), 1)
            : Effect.succeed(1)
      const [isLeft] = yield* Effect.all([trouble_, stop], { concurrency: 2 })
      yield* Fiber.join(working)
      const since = world.simulator.world.nowMillis
      yield* Effect.sleep(trouble === "loss" ? "4 seconds" : "9 seconds")
      const answers = yield* Effect.forEach(refs.values(), (each) =>
        Effect.exit(each.ask({ _tag: "Heard" }, { timeout: "5 seconds" }))
      )
      worstMillis = world.simulator.world.nowMillis - since
      yield* agree(world)
      const alive = nodes.filter((node) => isAlive(phaseAt(world, node))).length
      if (alive > 1) watch.violations.add("more than one is left")
      if (alive < 1 && isLeft) watch.violations.add("none is left")
      const ats = new Set(answers.map((exit) => (Exit.isSuccess(exit) ? exit.value.at : "nowhere")))
      if (alive === 1 && (ats.size !== 1 || ats.has("nowhere"))) watch.violations.add("an address leads elsewhere")
      if (trouble === "loss") {
        for (const exit of answers) {
          if (Exit.isSuccess(exit) && exit.value.count !== sent) watch.violations.add("the count is off")
        }
        for (const fiber of asking) {
          if (Exit.isFailure(yield* Fiber.join(fiber))) watch.violations.add("a question without an answer")
        }
      }
    })

  const { ended, violations } = await Effect.runPromise(
    inWorld(body, {
      ...{ nodes, seed, duration: 40_000 },
      faults: { ...(trouble === "loss" ? Faults.lossy : {}), delayMillisMin: 1, delayMillisMax: 30 },
      layer: (node) => {
        const movable = travellerOf(watch, watch.live(node))
        movables.set(node, movable)
        const migration = Migration.layer([movable], { retry: "50 millis", timeout: "1 second", grace: "3 seconds" })
        return Layer.merge(migration, Receptionist.layer())
      }
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )
  if (ended !== "test" && violations.length === 0) watch.violations.add("it has no end")
  return {
    violations: [...watch.violations, ...violations.map(({ detail, name }) => `${name}: ${detail?.slice(0, 300)}`)],
    worstMillis,
    moves
  }
}
