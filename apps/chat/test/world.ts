/**
 * The chat in a simulated world: the program of the processes, on virtual time, a simulated network and simulated disks, under
 * faults that a seed draws. Users talk on all nodes meanwhile, and come back when their node does; in the end everybody asks
 * who is there, and what was said.
 */
import { Chat } from "@troupe/chat"
import { Heartbeat } from "@troupe/failure-detection"
import { Faults, Simulation } from "@troupe/simulation"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Transport } from "@troupe/transport"
import { Context, Duration, Effect, Layer, Random, References } from "effect"

const nodes = ["n1", "n2", "n3"]

const plannedMillis = 12_000
/** From then on nothing goes wrong any more. */
const calmMillis = plannedMillis * Faults.over
const lastPostMillis = calmMillis + 200

/** All agree again at the latest, after the last fault: a deadline that false suspicions have moved out, and some rounds. */
export const boundMillis = 5_000

const timing = { everyMillis: 200, deadlineMillis: 1_000 }

/** What `/who` tells when all of them are there. */
const everybody = `* In garden: ${nodes
  .flatMap((node) => ["ann", "bob", "watcher"].map((user) => `${user}-${node}@${node}`))
  .join(", ")}`

/** A user at a terminal. */
class User {
  readonly name: string
  readonly lines: Array<string> = []
  /** The time of the latest post that was shown. */
  time = 0
  constructor(name: string) {
    this.name = name
  }
  readonly screen = {
    show: (lines: ReadonlyArray<string>): void => {
      this.lines.push(...lines)
      for (const line of lines) this.time = Math.max(this.time, timeOf(line))
    },
    end: (): void => {}
  }
}

const timeOf = (line: string): number => Number(/^\[(\d+) /.exec(line)?.[1] ?? 0)

export interface Outcome {
  readonly violations: ReadonlyArray<string>
  /** From the last fault until all nodes said the same of who is there, and of what was said. */
  readonly worstMillis: number
  readonly posts: number
}

export const run = async (options: {
  readonly seed: number
  readonly faults: Partial<Faults.Faults>
}): Promise<Outcome> => {
  const { faults, seed } = options
  const disks = SimulatedDisk.make({ seed })
  const lives = new Map<string, number>()
  /** Posts that their users saw, which is when they are kept. */
  const kept = new Set<string>()
  const violations = new Set<string>()
  const said = new Map<string, { who: string; history: string }>()
  let agreedMillis = Infinity

  const visit = (service: Context.Service.Shape<typeof Chat.Chat>, name: string) =>
    Effect.gen(function* () {
      const user = new User(name)
      const session = yield* service.connect(name, user.screen)
      const type = (line: string) => session.tell({ _tag: "Typed", line })
      type("/join garden")
      return { user, type }
    })

  /** Says this and that until the end, each thing when the one before was shown. */
  const talk = (service: Context.Service.Shape<typeof Chat.Chat>, name: string, life: number) =>
    Effect.gen(function* () {
      const { type, user } = yield* visit(service, name)
      for (let count = 1; virtual() < lastPostMillis; count++) {
        const text = `${name}.${life}.${count}`
        const before = user.time
        type(text)
        while (!user.lines.some((line) => line.endsWith(` ${name}: ${text}`))) yield* Effect.sleep("10 millis")
        const line = user.lines.find((each) => each.endsWith(` ${name}: ${text}`))!
        if (timeOf(line) <= before) violations.add("a post comes after those that its user had seen")
        kept.add(line)
        yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(1, 800)))
      }
      yield* Effect.never
    })

  /** Asks what its node knows, again and again when all is over. */
  const look = (service: Context.Service.Shape<typeof Chat.Chat>, node: string) =>
    Effect.gen(function* () {
      const { type, user } = yield* visit(service, `watcher-${node}`)
      while (virtual() < lastPostMillis) yield* Effect.sleep("100 millis")
      for (;;) {
        const from = user.lines.length
        type("/who")
        type("/history 10000")
        while (!user.lines.slice(from).some((line) => line.endsWith(" posts of garden")))
          yield* Effect.sleep("5 millis")
        const answer = user.lines.slice(from)
        const who = answer.find((line) => line.startsWith("* In "))!
        const end = answer.findIndex((line) => line.endsWith(" posts of garden"))
        const begin = answer.indexOf(who) + 1
        said.set(node, { who, history: answer.slice(begin, end).join("\n") })
        const all = nodes.map((each) => said.get(each))
        const isAgreed = all.every((each) => each?.who === everybody && each.history === all[0]?.history)
        if (!isAgreed) agreedMillis = Infinity
        else if (agreedMillis === Infinity) agreedMillis = virtual()
        yield* Effect.sleep("200 millis")
      }
    })

  let world: Simulation.Simulator["world"] | undefined
  const virtual = (): number => world?.nowMillis ?? 0

  const until = (isSo: () => boolean): Effect.Effect<void> =>
    Effect.suspend(() => (isSo() ? Effect.void : Effect.andThen(Effect.sleep("50 millis"), until(isSo))))

  const program = (node: string) =>
    Effect.gen(function* () {
      const life = (lives.get(node) ?? 0) + 1
      lives.set(node, life)
      const { deadlineMillis: deadline, everyMillis: interval } = timing
      const context = yield* Layer.build(
        Chat.layer({ every: interval }).pipe(
          Layer.provide(Chat.actors),
          Layer.provide(Heartbeat.layer({ interval, deadline })),
          Layer.provide([Layer.succeed(Transport, yield* Transport), disks.layer(node)]),
          Layer.fresh
        )
      )
      const service = Context.get(context, Chat.Chat)
      yield* Effect.all([talk(service, `ann-${node}`, life), talk(service, `bob-${node}`, life), look(service, node)], {
        concurrency: "unbounded"
      })
    }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None"))

  const result = await Effect.runPromise(
    Simulation.run({
      seed,
      nodes,
      faults,
      planned: Duration.millis(plannedMillis),
      duration: Duration.millis(calmMillis + boundMillis + 1_000),
      program,
      test: (simulator) => {
        world = simulator.world
        return until(() => virtual() > agreedMillis + 500)
      }
    })
  )
  for (const { detail = "", name } of result.violations) violations.add(`${name} ${detail}`)
  for (const node of nodes) {
    const { history = "", who } = said.get(node) ?? {}
    const lines = history.split("\n")
    if (who !== everybody) violations.add("in the end all who are there are seen everywhere")
    if (new Set(lines).size !== lines.length) violations.add("a post is in a history once")
    if ([...kept].some((line) => !lines.includes(line)))
      violations.add("what was shown to its user is in all histories")
    if (history !== said.get(nodes[0]!)?.history) violations.add("all histories are in one order")
  }
  return { violations: [...violations], worstMillis: agreedMillis - calmMillis, posts: kept.size }
}
