/**
 * The chat in a simulated world: what its processes run, on virtual time, a simulated network and simulated disks, under
 * faults that a seed draws. Users talk on all nodes meanwhile, and come back when their node does. When the faults are over
 * everybody asks who is there and what was said; then a node dies for good.
 */
import { Chat } from "@troupe/chat"
import { Heartbeat } from "@troupe/failure-detection"
import { Faults, Simulation } from "@troupe/simulation"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Transport } from "@troupe/transport"
import { Context, Duration, Effect, Layer, Random, References } from "effect"

const nodes = ["n1", "n2", "n3"]
const talkers = ["ann", "bob"]

const plannedMillis = 12_000
/** From then on nothing goes wrong any more. */
const calmMillis = plannedMillis * Faults.over
const silentMillis = calmMillis + 200

const timing = { interval: 200, deadline: 1_000 }

/** What goes wrong in a world. */
export interface World {
  readonly faults: Faults.Faults
  /** Disks fail, or are full, now and then; one write or sync in a hundred fails also when all else is over. */
  readonly disksFail?: boolean
}

const chaos = { ...Faults.chaos, crashesPerMinute: 20 }

/** With more crashes than the presets have. */
export const worlds: Readonly<Record<string, World>> = {
  crash: { faults: { ...Faults.crash, crashesPerMinute: 40, downMillisMax: 3_000 } },
  partition: { faults: Faults.partition },
  chaos: { faults: chaos },
  disks: { faults: Faults.none, disksFail: true },
  "disks and chaos": { faults: chaos, disksFail: true }
}

/** For all to agree after the last fault, and to notice a death: a deadline that false suspicions have moved out, and a round. */
export const boundMillis = 4_000

export interface Outcome {
  readonly violations: ReadonlyArray<string>
  /** The longer one of the two times that `boundMillis` is for. */
  readonly worstMillis: number
  /** That anybody saw. */
  readonly posts: number
}

/** What `/who` tells when all users of these nodes are there, and nobody else. */
const everybodyOf = (some: ReadonlyArray<string>): string =>
  `* In garden: ${some.flatMap((node) => [...talkers, "watcher"].map((user) => `${user}-${node}@${node}`)).join(", ")}`

/** The end of what `/history` tells. */
const isEnd = (line: string): boolean => line.endsWith(" posts of garden")

/** What was asked for is not to be had, or may not be. */
const isRefused = (line: string): boolean => line.startsWith("! ")

const timeOf = (line: string): number => Number(/^\[(\d+) /.exec(line)?.[1] ?? 0)

/** What a node's user was told last. */
interface Told {
  readonly who: string
  readonly history: ReadonlyArray<string>
  /** Posts that were there when it came, or that it was shown then. */
  readonly shown: ReadonlySet<string>
}

export type Service = Context.Service.Shape<typeof Chat.Chat>

/** The chat of a node of the simulated world, as long as the node lives. */
export const start = (node: string, disks: SimulatedDisk.Disks) =>
  Effect.gen(function* () {
    const layer = Chat.layer({ every: timing.interval }).pipe(
      Layer.provide(Chat.actors),
      Layer.provide(Heartbeat.layer(timing)),
      Layer.provide([Layer.succeed(Transport, yield* Transport), disks.layer(node)])
    )
    return Context.get(yield* Layer.build(Layer.fresh(layer)), Chat.Chat)
  })

/** A user at a terminal, in the room. */
export const visit = (chat: Service, name: string, seen = new Set<string>()) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    /** Unasked. */
    const shown = new Set<string>()
    const show = (more: ReadonlyArray<string>): void => {
      lines.push(...more)
      if (!more.some(isEnd)) for (const line of more) shown.add(line)
      for (const line of more) if (timeOf(line) > 0) seen.add(line)
    }
    const session = yield* chat.connect(name, { show, end: () => {} })
    const type = (line: string) => session.tell({ _tag: "Typed", line })
    const until = (is: (line: string) => boolean, from = 0): Effect.Effect<string> =>
      Effect.suspend(() => {
        const found = lines.slice(from).find(is)
        return found === undefined ? Effect.andThen(Effect.sleep("5 millis"), until(is, from)) : Effect.succeed(found)
      })
    type("/join garden")
    return { lines, shown, type, until }
  })

class Run {
  /** Posts that anybody saw, which is when they are on disk somewhere. */
  readonly seen = new Set<string>()
  readonly violations = new Set<string>()
  readonly told = new Map<string, Told>()
  readonly disks: SimulatedDisk.Disks
  private readonly lives = new Map<string, number>()
  private millis: () => number = () => 0

  constructor(seed: number, disksFail: boolean) {
    // Slow, so that crashes come in between.
    const slow = { syncMillisMin: 10, syncMillisMax: 60 }
    this.disks = SimulatedDisk.make({ seed, ...slow, failureProbability: disksFail ? 0.01 : 0 })
  }

  /** A life of a node. */
  readonly program = (node: string) =>
    Effect.gen({ self: this }, function* () {
      const life = (this.lives.get(node) ?? 0) + 1
      this.lives.set(node, life)
      const chat = yield* start(node, this.disks)
      const users = talkers.map((name) => this.talk(chat, `${name}-${node}`, life))
      yield* Effect.all([...users, this.watch(chat, node)], { concurrency: "unbounded" })
    }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None"))

  /** Says one thing after the other, each when the one before was shown. */
  private talk(chat: Service, name: string, life: number) {
    return Effect.gen({ self: this }, function* () {
      const { lines, type, until } = yield* visit(chat, name, this.seen)
      for (let count = 1; this.millis() < silentMillis; count++) {
        const latest = Math.max(0, ...lines.map(timeOf))
        type(`${life}.${count}`)
        const from = lines.length
        const line = yield* until((each) => each.endsWith(` ${name}: ${life}.${count}`) || isRefused(each), from)
        if (!isRefused(line)) this.hold("a post is after all those that its user had seen", timeOf(line) > latest)
        const shown = lines.filter((each) => timeOf(each) > 0)
        this.hold("a post is shown once", new Set(shown).size === shown.length)
        yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(1, 500)))
      }
      yield* Effect.never
    })
  }

  /** Asks what its node knows, again and again, when all is over. */
  private watch(chat: Service, node: string) {
    return Effect.gen({ self: this }, function* () {
      const { lines, shown, type, until } = yield* visit(chat, `watcher-${node}`, this.seen)
      let hasPast = false
      for (;;) {
        yield* Effect.sleep("100 millis")
        if (this.millis() < silentMillis && hasPast) continue
        const from = lines.length
        type("/who")
        type("/history 10000")
        const who = yield* until((line) => line.startsWith("* In "), from)
        const end = yield* until((line) => isEnd(line) || isRefused(line), from)
        if (isRefused(end)) continue
        const answer = lines.slice(from)
        const history = answer.slice(answer.indexOf(who) + 1, answer.indexOf(end))
        if (!hasPast) for (const line of history) shown.add(line)
        hasPast = true
        if (this.millis() >= silentMillis) this.told.set(node, { who, history, shown })
      }
    })
  }

  /** Now and then a disk takes nothing more, for a moment or for longer. */
  private readonly fail = (node: string) =>
    Effect.gen({ self: this }, function* () {
      const disk = this.disks.disk(node)
      const sleep = (least: number, most: number) =>
        Effect.flatMap(Random.nextIntBetween(least, most), (millis) =>
          Effect.sleep(Duration.millis(Math.min(millis, calmMillis - this.millis())))
        )
      for (;;) {
        yield* sleep(50, 2_000)
        if (this.millis() >= calmMillis) return
        const kind = yield* Random.nextIntBetween(0, 3)
        if (kind === 0) disk.capacityBytes = disk.paths.reduce((bytes, path) => bytes + disk.sizeOf(path), 0)
        else disk.failing = kind === 1 ? "writes" : "syncs"
        yield* sleep(1, (yield* Random.nextBoolean) ? 50 : 2_000)
        disk.capacityBytes = Infinity
        disk.failing = "nothing"
      }
    })

  /** Waits for the end of the faults and what is to come about then. Returns how long that took. */
  readonly test = ({ crash, world }: Simulation.Simulator, victim: string, disksFail: boolean) =>
    Effect.gen({ self: this }, function* () {
      this.millis = () => world.nowMillis
      if (disksFail) yield* Effect.forEach(nodes, (node) => Effect.forkChild(this.fail(node)))
      while (!this.isAgreed) yield* Effect.sleep("50 millis")
      const agreed = this.millis() - calmMillis
      this.judge()
      yield* crash(victim)
      const diedAt = this.millis()
      const others = nodes.filter((node) => node !== victim)
      const everybody = everybodyOf(others)
      while (others.some((node) => this.told.get(node)?.who !== everybody)) yield* Effect.sleep("50 millis")
      return Math.max(agreed, this.millis() - diedAt)
    })

  private get isAgreed(): boolean {
    const all = nodes.map((node) => this.told.get(node))
    const everybody = everybodyOf(nodes)
    const [first] = all
    return all.every(
      (each) =>
        each?.who === everybody &&
        `${each.history}` === `${first?.history}` &&
        each.history.every((line) => each.shown.has(line))
    )
  }

  /** Of histories that are the same. */
  private judge(): void {
    const { history } = this.told.get(nodes[0]!)!
    const posts = new Set(history)
    this.hold("a post is in a history once", posts.size === history.length)
    this.hold(
      "what was shown to anybody is in all histories",
      [...this.seen].every((line) => posts.has(line))
    )
  }

  hold(name: string, holds: boolean): void {
    if (!holds) this.violations.add(name)
  }
}

export const run = async (seed: number, { disksFail = false, faults }: World): Promise<Outcome> => {
  const here = new Run(seed, disksFail)
  const result = await Effect.runPromise(
    Simulation.run({
      seed,
      nodes,
      faults,
      planned: Duration.millis(plannedMillis),
      duration: Duration.millis(calmMillis + 3 * boundMillis),
      program: here.program,
      test: (simulator) => here.test(simulator, nodes[seed % nodes.length]!, disksFail)
    })
  )
  for (const { detail = "", name } of result.violations) here.hold(`${name} ${detail}`, false)
  here.hold("all agree in the end, and notice a death", result.value !== undefined)
  return { violations: [...here.violations], worstMillis: result.value ?? Infinity, posts: here.seen.size }
}
