/**
 * Links across nodes: actors come, link to each other, stop and fail, while nodes and links fail. Nobody fails but by itself or
 * with one that it was linked to; and of two that were linked, none outlives that the other failed or went down with its node.
 */
import { type ActorRef, ActorSystem, Behavior, Messages, Supervision } from "@troupe/actor"
import { Duration, Effect, Exit, Random, Schema } from "effect"
import { calmMillis, nodes, type Outcome, simulate, type World } from "./nodes.ts"

const durationMillis = 32_000
const busyMillis = calmMillis + 1_000

/** Who is asked for again is asked for again after ten seconds. */
const boundMillis = 12_000

/** A link that its other side has heard of, where nothing is lost. */
const heardMillis = 100

const Mortal = Messages.make("mortal", {
  Link: Messages.tell({ to: Schema.Any, ref: Schema.Any }),
  End: Messages.tell({ fails: Schema.Boolean })
})
type Mortal = ActorRef<typeof Mortal.definition>

const Cradle = Messages.make("cradle", {
  Born: Messages.ask({}, { reply: Schema.Struct({ name: Schema.String, ref: ActorSystem.Ref(Mortal) }) }),
  Ended: Messages.tell({ name: Schema.String, how: Schema.String })
})

interface Link {
  readonly by: string
  readonly to: string
  readonly atMillis: number
}

interface End {
  readonly how: string
  readonly atMillis: number
}

const nodeOf = (name: string): string => name.slice(0, 2)

export const run = async (world: World): Promise<Outcome & { readonly links: number; readonly broken: number }> => {
  const links: Array<Link> = []
  const ends = new Map<string, End>()
  const born = new Map<string, Set<string>>()
  /** Who was told to fail. */
  const failing = new Set<string>()
  const suspectedBy = new Map<string, Set<string>>()
  const violations = new Set<string>()
  let now = 0

  const crashed = (life: string): void => {
    for (const name of born.get(life) ?? []) if (!ends.has(name)) ends.set(name, { how: "Crashed", atMillis: now })
  }

  const mortal = (name: string) =>
    Behavior.make(Mortal, {
      init: (): void => {},
      on: {
        Link: (_, { ref, to }, self) => {
          links.push({ by: name, to: to as string, atMillis: now })
          self.link(ref as Mortal)
        },
        End: (_, { fails }, self) => {
          if (!fails) return self.stop()
          failing.add(name)
          throw new Error("its time has come")
        }
      }
    })

  const cradle = (life: string) => {
    let count = 0
    return Behavior.make(Cradle, {
      init: (): void => {},
      on: {
        Born: (state, _, self) => {
          const name = `${life}/${++count}`
          born.get(life)!.add(name)
          const ref = self.spawn(mortal(name), { supervision: Supervision.stop })
          self.watch(ref, ({ _tag: how }) => ({ _tag: "Ended", name, how }))
          return { state, reply: { name, ref } }
        },
        // All end with the world.
        Ended: (_, { how, name }) => {
          if (now < durationMillis - 1_000) ends.set(name, { how, atMillis: now })
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
        crashed(`${node}/${number - 1}`)
        born.set(life, new Set())
        suspectedBy.set(life, suspected)
        yield* ActorSystem.spawn(cradle(life), { name: "cradle" })
        const here = yield* system.at(Cradle, "cradle")
        const mine: Array<Mortal> = []
        while (now < busyMillis) {
          yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 200)))
          const there = yield* system.at(Cradle, "cradle", nodes[yield* Random.nextIntBetween(0, nodes.length - 1)]!)
          const [one, other] = yield* Effect.all([
            here.ask({ _tag: "Born" }),
            Effect.exit(there.ask({ _tag: "Born" }, { timeout: "500 millis" }))
          ])
          if (Exit.isFailure(other)) continue
          mine.push(one.ref)
          one.ref.tell({ _tag: "Link", to: other.value.name, ref: other.value.ref })
          const refs = [...mine, other.value.ref]
          const victim = refs[yield* Random.nextIntBetween(0, refs.length - 1)]!
          const fails = yield* Random.nextBoolean
          if (yield* Random.nextBoolean) victim.tell({ _tag: "End", fails })
        }
      }),
    {
      properties: [
        {
          name: "time",
          kind: "always",
          holds: ({ nowMillis }) => {
            now = nowMillis
            return true
          }
        }
      ]
    }
  )

  const isLossless = (world.faults.lossProbability ?? 0) === 0 && (world.faults.partitionsPerMinute ?? 0) === 0
  const fell = (name: string): boolean => ["Failed", "Crashed"].includes(ends.get(name)?.how ?? "")
  const lifeOf = (name: string): string => name.split("/").slice(0, 2).join("/")
  let brokenLinks = 0
  for (const { atMillis, by, to } of links) {
    const [one, other] = [ends.get(by), ends.get(to)]
    if (fell(to) && one === undefined) violations.add(`${by} outlived ${to}, to which it was linked`)
    const isHeard = isLossless && one !== undefined && one.atMillis - atMillis > heardMillis
    if (fell(by) && isHeard && other === undefined) violations.add(`${to} outlived ${by}, to which it was linked`)
    if (one?.how === "Failed" && !failing.has(by)) brokenLinks++
  }
  for (const [name, { how }] of ends) {
    if (how !== "Failed" || failing.has(name)) continue
    const others = links.flatMap(({ by, to }) => (by === name ? [to] : to === name ? [by] : []))
    const isSo = others.some((other) => fell(other) || suspectedBy.get(lifeOf(name))!.has(nodeOf(other)))
    if (!isSo) violations.add(`${name} failed, and neither by itself nor with another`)
  }
  return {
    violations: [...broken, ...violations],
    worstMillis: 0,
    boundMillis,
    links: links.length,
    broken: brokenLinks
  }
}
