/**
 * Watching across nodes: actors come and go, and others on all nodes watch them, while nodes and links fail. Who watches is
 * told once; that one is no more, only when it is none any more; that it is unreachable, only when the detector said so; and
 * in the end, always.
 */
import { type ActorRef, ActorSystem, Behavior, Messages, type Reason, Supervision } from "@troupe/actor"
import { Duration, Effect, Exit, Random, Schema } from "effect"
import { calmMillis, nodes, type Outcome, simulate, type World } from "./nodes.ts"

const durationMillis = 30_000

/** By then no actor ends any more. */
const busyMillis = calmMillis + 1_000

/** How long it may take until who watches is told, once all is calm. */
const boundMillis = 12_000

const Mortal = Messages.make("mortal", { End: Messages.tell({ how: Schema.Literals(["stops", "fails"]) }) })

const Cradle = Messages.make("cradle", {
  Born: Messages.ask({}, { reply: Schema.Struct({ name: Schema.String, ref: ActorSystem.Ref(Mortal) }) })
})

const Watcher = Messages.make("watcher", {
  Watch: Messages.tell({ watch: Schema.Any }),
  Told: Messages.tell({ watch: Schema.Any, reason: Schema.Any })
})

interface Watch {
  /** By whom: who has crashed is told nothing. */
  readonly by: string
  readonly isByPath: boolean
  readonly isUp: () => boolean
  readonly name: string
  readonly node: string
  readonly ref: ActorRef<typeof Mortal.definition>
  readonly suspected: ReadonlySet<string>
  begun: boolean
  told: Array<Reason["_tag"]>
}

const watcher = (
  watches: Array<Watch>,
  ended: ReadonlyMap<string, number>,
  violations: Set<string>,
  toldMillis: (since: number) => void
) =>
  Behavior.make(Watcher, {
    init: () => undefined,
    on: {
      Watch: (_, { watch }: { readonly watch: Watch }, self) => {
        watch.begun = true
        watches.push(watch)
        self.watch(watch.ref, (reason) => ({ _tag: "Told", watch, reason }))
      },
      Told: (_, { reason, watch }: { readonly watch: Watch; readonly reason: Reason }) => {
        watch.told.push(reason._tag)
        toldMillis(ended.get(watch.name) ?? Infinity)
        const who = `${watch.by} of ${watch.name}`
        if (watch.told.length > 1) violations.add(`${who} was told ${watch.told.join(", ")}`)
        if (reason._tag === "Unreachable" && !watch.suspected.has(watch.node)) {
          violations.add(`${who} was told Unreachable, and nobody suspected it`)
        }
        if (reason._tag !== "Unreachable" && !ended.has(watch.name))
          violations.add(`${who} lives, and was told ${reason._tag}`)
      }
    }
  })

export const run = async (
  world: World
): Promise<Outcome & { readonly watches: number; readonly unreachable: number }> => {
  const watches: Array<Watch> = []
  const violations = new Set<string>()
  /** When, for actors by name; those of a life of a node end with it. */
  const ended = new Map<string, number>()
  const born = new Map<string, Set<string>>()
  let now = 0
  let worstMillis = 0
  const alive = new Map<string, number>()
  const toldMillis = (since: number): void => {
    worstMillis = Math.max(worstMillis, now - Math.max(since, calmMillis))
  }

  const mortal = (name: string) =>
    Behavior.make(Mortal, {
      init: () => undefined,
      on: {
        End: (_, { how }, self) => {
          if (how === "fails") throw new Error("its time has come")
          self.stop()
        }
      },
      onStop: () => {
        // All end with the world.
        if (now < durationMillis - 1_000) ended.set(name, now)
      }
    })

  const cradle = (life: string) => {
    let count = 0
    return Behavior.make(Cradle, {
      init: () => undefined,
      on: {
        Born: (_, _ask, self) => {
          const name = `${life}/${++count}`
          born.get(life)!.add(name)
          const ref = self.spawn(mortal(name), { name: `mortal${count}`, supervision: Supervision.stop })
          return { state: undefined, reply: { name, ref } }
        }
      }
    })
  }

  const broken = await simulate(
    world,
    durationMillis,
    ({ node, number, suspected, system }) =>
      Effect.gen(function* () {
        const life = `${node}/${number}`
        // The life before is over.
        for (const name of born.get(`${node}/${number - 1}`) ?? []) if (!ended.has(name)) ended.set(name, now)
        born.set(life, new Set())
        alive.set(node, number)
        yield* ActorSystem.spawn(cradle(life), { name: "cradle" })
        const watching = yield* ActorSystem.spawn(watcher(watches, ended, violations, toldMillis))
        const refs: Array<ActorRef<typeof Mortal.definition>> = []
        for (let count = 1; now < busyMillis; count++) {
          yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 200)))
          const to = nodes[yield* Random.nextIntBetween(0, nodes.length - 1)]!
          const there = yield* system.at(Cradle, "cradle", to)
          const exit = yield* Effect.exit(there.ask({ _tag: "Born" }, { timeout: "500 millis" }))
          if (Exit.isFailure(exit)) continue
          const { name, ref } = exit.value
          refs.push(ref)
          const byPath = yield* Effect.exit(system.at(Mortal, `cradle/mortal${name.split("/")[2]}`, to))
          // Here both are the actor itself, which is watched once.
          const both = to !== node && Exit.isSuccess(byPath) ? [ref, byPath.value] : [ref]
          for (const [at, each] of both.entries()) {
            const isUp = () => alive.get(node) === number
            // Which life is there by now is not known of a path.
            const by = `${life}#${count}${at === 1 ? " by path" : ""}`
            const watch = { by, isByPath: at === 1, isUp, name, node: to, ref: each }
            watching.tell({ _tag: "Watch", watch: { ...watch, suspected, begun: false, told: [] } })
          }
          const victim = refs[yield* Random.nextIntBetween(0, refs.length - 1)]!
          if (yield* Random.nextBoolean)
            victim.tell({ _tag: "End", how: (yield* Random.nextBoolean) ? "stops" : "fails" })
        }
      }),
    {
      properties: [
        {
          name: "time",
          kind: "always",
          holds: ({ isAlive, nowMillis }) => {
            now = nowMillis
            for (const [node, number] of alive) {
              if (isAlive(node)) continue
              alive.set(node, -1)
              for (const name of born.get(`${node}/${number}`) ?? []) if (!ended.has(name)) ended.set(name, now)
            }
            return true
          }
        }
      ]
    }
  )
  /** Where a node had crashed before it heard of the watch, whoever is at that path by then is watched. */
  const hasHeir = ({ isByPath, name, node }: Watch): boolean => {
    const heir = `${node}/${alive.get(node)}/${name.split("/")[2]}`
    return isByPath && born.get(`${node}/${alive.get(node)}`)?.has(heir) === true && !ended.has(heir)
  }
  for (const watch of watches) {
    if (!watch.isUp() || watch.told.length > 0 || !ended.has(watch.name) || hasHeir(watch)) continue
    violations.add(`${watch.by} was never told of the end of ${watch.name}`)
  }
  return {
    violations: [...broken, ...violations],
    worstMillis,
    boundMillis,
    watches: watches.length,
    unreachable: watches.filter(({ told }) => told.includes("Unreachable")).length
  }
}
