/**
 * Random families: actors that spawn, fail, stop, watch and link each other in every way that there is, in an order that the
 * seed picks. Whatever happens, children end before their parents and once, nobody's handlers overlap or run when it is no
 * more, who starts again has no child, and when the system has ended nothing of it is left.
 */
import { type ActorRef, ActorSystem, Behavior, Messages, Supervision } from "@troupe/actor"
import { Simulation } from "@troupe/simulation"
import { Duration, Effect, Exit, Layer, Random, References, Schedule, Schema, Scope } from "effect"
import type { Outcome } from "./nodes.ts"

const Member = Messages.make("member", {
  Act: Messages.tell({}),
  Asked: Messages.ask({}, { reply: Schema.Int }),
  Told: Messages.tell({})
})

type Ref = ActorRef<typeof Member.definition>
type Self = Behavior.Self<typeof Member.definition>

/** What is known of an actor from its own code. */
interface Known {
  readonly name: string
  readonly parent: Known | undefined
  readonly children: Array<Known>
  readonly refs: Array<Ref>
  readonly limit: number
  /** What becomes of one of its children becomes of all. */
  sharesFate: boolean
  starts: number
  scopes: number
  hasBegun: boolean
  isStopped: boolean
  isHandling: boolean
}

/** One that has never begun does not say that it has ended. */
const lives = ({ hasBegun, isStopped }: Known): boolean => hasBegun && !isStopped

const depthMax = 4
const childrenMax = 4

class Family {
  readonly violations = new Set<string>()
  readonly all: Array<Known> = []
  readonly refs: Array<Ref> = []

  broken(known: Known, what: string): void {
    this.violations.add(`${known.name} ${what}`)
  }

  born(parent: Known | undefined, limit: number): Known {
    const name = parent === undefined ? `${this.all.length}` : `${parent.name}/${parent.children.length}`
    const flags = { sharesFate: false, starts: 0, scopes: 0, hasBegun: false, isStopped: false, isHandling: false }
    const known: Known = { name, parent, children: [], refs: [], limit, ...flags }
    this.all.push(known)
    parent?.children.push(known)
    return known
  }

  starts(known: Known, self: Self, isReset: boolean): void {
    known.starts++
    if (known.isStopped) this.broken(known, "starts after its end")
    // What befalls a sibling is no restart of its own.
    if (known.parent?.sharesFate !== true && known.starts > known.limit + 1)
      this.broken(known, `has started ${known.starts} times, and may ${known.limit + 1}`)
    if (isReset && known.children.some(lives)) this.broken(known, "starts again beside its children")
    if (self.random() < 0.1) throw new Error("it cannot start")
    if (self.random() < 0.2) this.spawn(known, self)
  }

  stops(known: Known): void {
    if (known.isStopped) this.broken(known, "ends twice")
    known.isStopped = true
    if (known.isHandling) this.broken(known, "ends amid a handler")
    if (known.scopes !== 0) this.broken(known, `ends with ${known.scopes} scopes open`)
    if (known.children.some(lives)) this.broken(known, "ends before its children")
  }

  enters(known: Known): void {
    if (known.isHandling) this.broken(known, "handles two messages at a time")
    for (let each: Known | undefined = known; each !== undefined; each = each.parent) {
      if (each.isStopped) this.broken(known, `handles a message after the end of ${each.name}`)
    }
    known.isHandling = true
    known.hasBegun = true
  }

  leaves(known: Known): void {
    known.isHandling = false
  }

  spawn(known: Known, self: Self): void {
    const alive = known.children.filter(lives).length
    if (alive >= childrenMax || known.name.split("/").length >= depthMax) return
    const random = () => self.random()
    const [limit, supervision] = this.supervision(random)
    const child = this.born(known, limit)
    // A name that may be taken.
    const name = random() < 0.3 ? { name: `child${Math.floor(random() * 3)}` } : {}
    let ref: Ref
    try {
      ref = self.spawn(this.behavior(child, random), { supervision, ...name })
    } catch (error) {
      child.isStopped = true
      throw error
    }
    known.refs.push(ref)
    this.refs.push(ref)
  }

  supervision(random: () => number): readonly [number, Supervision.Supervision] {
    const limit = Math.floor(random() * 4)
    const drawn = random()
    if (drawn < 0.15) return [0, Supervision.stop]
    if (drawn < 0.3) return [0, Supervision.escalate]
    if (drawn < 0.4) return [Infinity, Supervision.resume]
    const state = random() < 0.3 ? "kept" : "reset"
    const backoff = random() < 0.4 ? { backoff: Schedule.spaced(Duration.millis(random() * 300)) } : {}
    return [limit, Supervision.restart({ limit, within: "1 hour", state, ...backoff })]
  }

  behavior(known: Known, random: () => number): Behavior.Behavior<typeof Member.definition> {
    known.sharesFate = random() < 0.3
    const children = known.sharesFate ? "all-for-one" : "one-for-one"
    const shared = { children, onStop: () => this.stops(known) } as const
    const act = (self: Self): void => this.act(known, self)
    if (random() < 0.5) {
      const handled = <A>(run: () => A): A => {
        this.enters(known)
        try {
          return run()
        } finally {
          this.leaves(known)
        }
      }
      return Behavior.make(Member, {
        ...shared,
        init: (self): number => {
          this.starts(known, self, true)
          known.hasBegun = true
          return 0
        },
        on: {
          Act: (count, _, self) => handled(() => (act(self), count + 1)),
          Asked: (count, _, self) => handled(() => (act(self), { state: count, reply: count })),
          Told: (count) => handled(() => count)
        }
      })
    }
    const handled = <A>(self: Self, result: A) =>
      Effect.acquireUseRelease(
        Effect.sync(() => this.enters(known)),
        () =>
          Effect.suspend(() => {
            const later = self.random() < 0.5 ? Effect.sleep(Duration.millis(self.random() * 200)) : Effect.yieldNow
            return Effect.as(
              Effect.andThen(
                later,
                Effect.sync(() => act(self))
              ),
              result
            )
          }),
        () => Effect.sync(() => this.leaves(known))
      )
    return Behavior.effect(Member, {
      ...shared,
      init: (self): Effect.Effect<number, never, Scope.Scope> =>
        Effect.gen({ self: this }, function* () {
          yield* Effect.acquireRelease(
            Effect.sync(() => known.scopes++),
            () =>
              Effect.andThen(
                self.random() < 0.5 ? Effect.sleep("20 millis") : Effect.void,
                Effect.sync(() => known.scopes--)
              )
          )
          if (self.random() < 0.3) yield* Effect.sleep("50 millis")
          this.starts(known, self, true)
          return 0
        }),
      on: {
        Act: (count, _, self) => handled(self, count + 1),
        Asked: (count, _, self) => handled(self, { state: count, reply: count }),
        Told: (count, _, self) => handled(self, count)
      }
    })
  }

  private act(known: Known, self: Self): void {
    const random = <A>(of: ReadonlyArray<A>): A | undefined => of[Math.floor(self.random() * of.length)]
    const child = random(known.refs)
    const anyone = random(this.refs)
    switch (Math.floor(self.random() * 12)) {
      case 0:
      case 1:
      case 2:
        return this.spawn(known, self)
      case 3:
        throw new Error("it fails")
      case 4:
        return self.random() < 0.3 ? self.stop() : child && self.stop(child)
      case 5:
        return anyone && self.watch(anyone, () => ({ _tag: "Told" }))
      case 6:
        return anyone && self.random() < 0.3 ? self.link(anyone) : undefined
      case 7:
        return self.setInterval("often", 50 + self.random() * 500, { _tag: "Told" })
      case 8:
        return self.setTimer("once", self.random() * 500, { _tag: "Act" })
      case 9:
        return self.setReceiveTimeout(Duration.millis(100 + self.random() * 500), { _tag: "Act" })
      case 10:
        self.stash()
        return self.random() < 0.5 ? self.unstash() : undefined
      default:
        return anyone?.tell({ _tag: "Act" })
    }
  }
}

export const run = async ({ seed }: { readonly seed: number }): Promise<Outcome & { readonly members: number }> => {
  const family = new Family()
  let isEnded = false
  let counters: ActorSystem.Counters | undefined
  const { ended, violations } = await Effect.runPromise(
    Simulation.run({
      seed,
      nodes: ["n1"],
      duration: "10 minutes",
      yieldProbability: 0.05,
      program: () =>
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const context = yield* Layer.buildWithScope(ActorSystem.layer(), scope)
          yield* Effect.provide(living(family), context)
          yield* Scope.close(scope, Exit.void)
          counters = yield* Effect.map(Effect.provide(ActorSystem.ActorSystem, context), (system) => system.counters())
          isEnded = true
        }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
    })
  )
  const broken = new Set([...violations.map(({ detail, name }) => `${name}: ${detail}`), ...family.violations])
  if (!isEnded) broken.add("the system does not end")
  if (isEnded && ended !== "quiet") broken.add("something is left to do when the system has ended")
  for (const known of family.all) if (lives(known)) broken.add(`${known.name} has not ended`)
  if (counters !== undefined && counters.spawned !== counters.stopped) {
    broken.add(`${counters.spawned} were spawned, and ${counters.stopped} have stopped`)
  }
  return { violations: [...broken], worstMillis: 0, boundMillis: 1, members: family.all.length }
}

/** Some families, and somebody who stirs them up. */
const living = (family: Family) =>
  Effect.gen(function* () {
    const system = yield* ActorSystem.ActorSystem
    const { nextDoubleUnsafe } = yield* Effect.service(Random.Random)
    const random = () => nextDoubleUnsafe()
    for (let round = 0; round < 60; round++) {
      if (round % 10 === 0) {
        const [limit, supervision] = family.supervision(random)
        const known = family.born(undefined, limit)
        family.refs.push(yield* ActorSystem.spawn(family.behavior(known, random), { supervision }))
      }
      for (let count = 0; count < 5; count++) {
        const ref = family.refs[Math.floor(random() * family.refs.length)]!
        if (random() < 0.7) ref.tell({ _tag: "Act" })
        else if (random() < 0.9) {
          yield* Effect.forkChild(Effect.ignore(ref.ask({ _tag: "Asked" }, { timeout: "1 second" })))
        } else yield* Effect.forkChild(system.stop(ref, { drain: random() < 0.5 }))
      }
      yield* Effect.sleep(Duration.millis(random() * 200))
    }
  })
