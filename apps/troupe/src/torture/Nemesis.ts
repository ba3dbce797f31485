/** What brings the faults, and takes them back. */
import { Effect, type Scope } from "effect"
import { cutsOf, type Fault, type Planned } from "./Plan.ts"
import { type Cluster, type Process, type Standing, standingOf } from "./Processes.ts"
import type { Recorder } from "./Recorder.ts"

/** A fault that there was, in milliseconds since the clients began. */
export interface Inflicted {
  readonly kind: Fault["_tag"]
  /** In words, with whom. */
  readonly what: string
  /** Those that it befell. */
  readonly nodes: ReadonlyArray<string>
  /** Whether one of them was primary. */
  readonly hitPrimary: boolean
  readonly fromMillis: number
  /** When it was taken back; while it lasts, none. */
  toMillis: number | undefined
}

export class Nemesis {
  readonly inflicted: Array<Inflicted> = []
  private readonly cluster: Cluster
  private readonly recorder: Recorder
  private readonly tell: (text: string) => void
  /** Nodes that are down, stand still, or have no room. */
  private readonly afflicted = new Set<string>()

  constructor(cluster: Cluster, recorder: Recorder, tell: (text: string) => void) {
    this.cluster = cluster
    this.recorder = recorder
    this.tell = tell
  }

  /** Those that last now. */
  get current(): ReadonlyArray<Inflicted> {
    return this.inflicted.filter(({ toMillis }) => toMillis === undefined)
  }

  /** All of a plan, each at its time. */
  run(plan: ReadonlyArray<Planned>): Effect.Effect<void> {
    return Effect.scoped(
      Effect.forEach(
        plan,
        (planned) =>
          Effect.andThen(
            Effect.sleep(Math.max(0, planned.fromMillis - this.recorder.elapsedMillis)),
            Effect.scoped(Effect.andThen(this.inflict(planned), Effect.sleep(planned.forMillis)))
          ),
        { concurrency: "unbounded", discard: true }
      )
    )
  }

  /** Kills whoever is primary, or this one where nobody is; to be started anew with `restart`. */
  killPrimary(otherwise: string): Effect.Effect<Process> {
    return Effect.gen({ self: this }, function* () {
      const { primary } = yield* standingOf(this.cluster)
      const node = this.cluster.nodes.find(({ id }) => id === (primary ?? otherwise))!
      this.begin(
        "kill",
        `kill -9 of ${node.id}${primary === undefined ? "" : ", the primary"}`,
        [node.id],
        primary !== undefined
      )
      yield* node.kill
      return node
    })
  }

  restart(node: Process): Effect.Effect<void> {
    const own = this.current.find(({ nodes }) => nodes.includes(node.id))
    return Effect.andThen(
      node.start,
      Effect.sync(() => own !== undefined && this.end(own))
    )
  }

  /** Until the scope ends. */
  private inflict({ fault, order, seeksPrimary }: Planned): Effect.Effect<void, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const standing = yield* standingOf(this.cluster)
      const { primary } = standing
      const first = seeksPrimary && primary !== undefined ? [primary] : []
      const all = [...first, ...order.filter((id) => !first.includes(id))]
      const isPrimary = (ids: ReadonlyArray<string>): boolean => primary !== undefined && ids.includes(primary)
      const { links } = this.cluster
      const lasting = (
        nodes: ReadonlyArray<string>,
        what: string,
        begin: Effect.Effect<unknown>,
        end: Effect.Effect<unknown>
      ) =>
        nodes.length === 0
          ? Effect.void
          : Effect.asVoid(
              Effect.acquireRelease(
                Effect.tap(
                  Effect.sync(() => this.begin(fault._tag, what, nodes, isPrimary(nodes))),
                  begin
                ),
                (own) =>
                  Effect.andThen(
                    end,
                    Effect.sync(() => this.end(own))
                  )
              )
            )
      switch (fault._tag) {
        case "kill":
        case "pause":
        case "disk": {
          const victims = this.claim(all, fault._tag === "disk" ? 1 : fault.count, standing)
          const each = (action: (node: Process) => Effect.Effect<void>) => this.each(victims, action)
          const free = Effect.sync(() => victims.forEach((id) => this.afflicted.delete(id)))
          const { begin, end, says } = harms[fault._tag]
          return yield* lasting(victims, `${says} ${named(victims)}`, each(begin), Effect.andThen(each(end), free))
        }
        case "partition": {
          const cuts = cutsOf(fault.shape, all)
          const what = `partition, ${fault.shape}, ${all.join(" ")}${fault.resets ? ", connections reset" : ""}`
          const cut = Effect.sync(() => links.cut(cuts, fault.resets))
          return yield* lasting(
            all.slice(0, 1),
            what,
            cut,
            Effect.sync(() => links.heal(cuts))
          )
        }
        case "delay": {
          const [node, ...others] = all
          const delay = (millis: number) => Effect.sync(() => links.delay(node!, others, millis))
          return yield* lasting([node!], `${fault.millis} ms to and from ${node}`, delay(fault.millis), delay(0))
        }
        case "clock": {
          const victims = all.slice(0, fault.count)
          const set = (millis: number) => this.each(victims, (node) => node.setClock(millis))
          const what = `clocks of ${named(victims)} by ${fault.offsetMillis / 1_000} s`
          return yield* lasting(victims, what, set(fault.offsetMillis), set(0))
        }
      }
    })
  }

  private claim(order: ReadonlyArray<string>, count: number, { serving }: Standing): ReadonlyArray<string> {
    const victims = victimsOf(order, count, this.afflicted, serving)
    for (const id of victims) this.afflicted.add(id)
    return victims
  }

  private each(ids: ReadonlyArray<string>, action: (node: Process) => Effect.Effect<void>): Effect.Effect<void> {
    return Effect.forEach(
      this.cluster.nodes.filter(({ id }) => ids.includes(id)),
      action,
      { concurrency: "unbounded", discard: true }
    )
  }

  private begin(kind: Fault["_tag"], what: string, nodes: ReadonlyArray<string>, hitPrimary: boolean): Inflicted {
    const own: Inflicted = {
      kind,
      what,
      nodes,
      hitPrimary,
      fromMillis: this.recorder.elapsedMillis,
      toMillis: undefined
    }
    this.inflicted.push(own)
    this.tell(what)
    return own
  }

  private end(own: Inflicted): void {
    own.toMillis = this.recorder.elapsedMillis
    this.tell(`healed: ${own.what}`)
  }
}

/**
 * The first ones of all nodes that nothing has befallen yet. A majority is left serving, or else all are taken: what befalls
 * a store that stands still anyway shows little.
 */
export const victimsOf = (
  order: ReadonlyArray<string>,
  count: number,
  afflicted: ReadonlySet<string>,
  serving: ReadonlySet<string>
): ReadonlyArray<string> => {
  const free = order.filter((id) => !afflicted.has(id))
  if (count === order.length) return free
  const well = free.filter((id) => serving.has(id))
  return well.slice(0, Math.max(0, Math.min(count, well.length - majority(order.length))))
}

const majority = (nodes: number): number => Math.floor(nodes / 2) + 1

const named = (ids: ReadonlyArray<string>): string => ids.join(", ")

const harms = {
  kill: { says: "kill -9 of", begin: (node: Process) => node.kill, end: (node: Process) => node.start },
  pause: { says: "SIGSTOP of", begin: (node: Process) => node.pause, end: (node: Process) => node.resume },
  disk: {
    says: "full disk of",
    begin: (node: Process) => node.fill,
    // A log that could not be written is opened again.
    end: (node: Process) => Effect.andThen(node.kill, node.start)
  }
} as const
