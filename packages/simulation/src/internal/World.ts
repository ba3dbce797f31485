/**
 * The simulated world: nodes, their lives, the network between them and the one loop that runs it all.
 *
 * Everything that happens is either a ready task of a fiber or an event at a virtual time. Ready tasks run first, in an
 * order that the seed picks; when none is left, time jumps to the next event. Nothing else moves the world.
 */
import { type Card, Observer } from "@troupe/actor"
import type { Trace } from "@troupe/trace"
import {
  type Channel,
  ChannelInUse,
  type DropReason,
  type LinkEvent,
  type NodeId,
  type Receive,
  type Send,
  Transport
} from "@troupe/transport"
import {
  Cause,
  Clock,
  Context,
  Duration,
  Effect,
  Exit,
  type Fiber,
  Option,
  Queue,
  Random,
  Scheduler,
  Scope,
  Stream,
  Tracer
} from "effect"
import * as Faults from "../Faults.ts"
import type * as Property from "../Property.ts"
import * as Globals from "./Globals.ts"
import { Heap, type Timed } from "./Heap.ts"
import { Prng } from "./Prng.ts"
import { type Cast, Sealed, Tracing } from "./Tracing.ts"

export interface WorldOptions {
  readonly seed: number
  readonly nodes: ReadonlyArray<NodeId.NodeId>
  readonly faults: Faults.Faults
  /** Of a fiber that could go on, that another gets its turn first, at each of its operations. */
  readonly yieldProbability: number
  /** How many early messages wait for a channel; one more is dropped. */
  readonly holdMessages: number
  /** From then on messages arrive, once and in order. */
  readonly calmNanos: number
  readonly trace: ((event: Trace.Event) => void) | undefined
  /** Takes each message in place of the network, but for what a cut loses. */
  readonly carry: ((message: Carried) => void) | undefined
  readonly delays: LinkDelays | undefined
  /** What a node runs, from its start and again from each restart. */
  readonly program: (node: NodeId.NodeId) => Effect.Effect<unknown, unknown, any>
  readonly context: Context.Context<never>
}

/** How long a message takes on a link: uniform between the two. */
export interface LinkDelay {
  readonly minMillis: number
  readonly maxMillis: number
}

/** Of each link, row by sender and column by receiver; NaN where it is as on all other links. */
export interface LinkDelays {
  readonly minNanos: Float64Array
  readonly spanNanos: Float64Array
}

/** A message in the hands of who carries it. */
export interface Carried {
  readonly from: NodeId.NodeId
  readonly to: NodeId.NodeId
  readonly channel: string
  readonly message: unknown
  /** Lets it arrive now, and again when it is called again. A node that is down loses it. */
  readonly arrive: () => void
  readonly lose: (reason?: string) => void
}

export interface Counts {
  sent: number
  delivered: number
  lost: number
  duplicated: number
  steps: number
}

const nothingAsked = { actor: undefined, snapshot: [] }

/** Virtual time starts here, by every clock without skew: 2020-01-01T00:00:00Z. */
const epochMillis = 1_577_836_800_000

/** How many messages and timers may be under way in the whole world; a message more is dropped. */
const capacity = 4_194_304

/** Tasks that may run at one instant. From then on each takes time, so that a fiber that spins cannot spin for good. */
const tasksAnInstant = 100_000
const nanosPerTaskAfter = 10_000

interface Happening extends Timed {
  readonly cancelled: boolean
  happen(): void
}

/** From one start of a node to its crash. What belongs to a life that is over does nothing any more. */
class Life {
  alive = true
  readonly node: SimulatedNode | undefined
  readonly ports = new Map<string, Port>()
  readonly scope = Scope.makeUnsafe()
  readonly linkListeners = new Set<(event: LinkEvent) => void>()
  /** Runs the program. */
  main: Fiber.Fiber<unknown, unknown> | undefined
  /** While the world is traced. */
  readonly cast: Cast | undefined

  constructor(node: SimulatedNode | undefined, cast: Cast | undefined) {
    this.node = node
    this.cast = cast
  }

  tell(event: LinkEvent): void {
    for (const listener of this.linkListeners) listener(event)
  }

  port(channel: string): Port {
    let port = this.ports.get(channel)
    if (port === undefined) this.ports.set(channel, (port = new Port(this, channel)))
    return port
  }
}

/** Where the messages of a channel arrive in a life. */
class Port {
  readonly life: Life
  readonly channel: string
  receive: Receive<any> | undefined
  /** Came before the channel was opened. What comes while these wait for their turn waits behind them. */
  held: Array<{ readonly from: NodeId.NodeId; readonly message: unknown }> = []

  constructor(life: Life, channel: string) {
    this.life = life
    this.channel = channel
  }
}

class SimulatedNode {
  readonly id: NodeId.NodeId
  readonly index: number
  life: Life | undefined
  lives = 0
  /** What happens to a node that stands still happens when it goes on. */
  paused = false
  backlog: Array<() => void> = []
  /** Nanoseconds of its clock in one of true time. */
  readonly rate: number
  offsetMillis: number
  /** When the latest message to each node arrives: a later one does not arrive earlier. */
  lastArrival: Float64Array | undefined
  /** How many partitions cut the link to each node. */
  cuts: Int32Array | undefined

  constructor(id: NodeId.NodeId, index: number, rate: number, offsetMillis: number) {
    this.id = id
    this.index = index
    this.rate = rate
    this.offsetMillis = offsetMillis
  }
}

export class World implements Property.World {
  nowNanos = 0
  readonly counts: Counts = { sent: 0, delivered: 0, lost: 0, duplicated: 0, steps: 0 }
  /** Called when an actor has its first state, and after each step, stop or crash of one. */
  onStep: (changed: boolean) => void = () => {}
  /** Called after each task or event. */
  onChange: () => void = () => {}
  /** A program or a handler of a node failed. */
  readonly failures: Array<{ readonly node: NodeId.NodeId; readonly cause: Cause.Cause<unknown> }> = []
  /** While the loop runs. A task that is scheduled at another time comes from outside. */
  running = false
  /** Whether such a task came. */
  disturbed = false
  private readonly options: WorldOptions
  private readonly nodes: ReadonlyArray<SimulatedNode>
  private readonly byId = new Map<NodeId.NodeId, SimulatedNode>()
  private readonly control = new Life(undefined, undefined)
  private readonly happenings = new Heap<Happening>()
  private readonly ready: Array<{ readonly life: Life; readonly task: () => void }> = []
  private readonly order: Prng
  private readonly network: Prng
  private sequence = 0
  /** How many of the happenings are cancelled. */
  private cancelled = 0
  private tasksNow = 0
  private closing = false
  private readonly snapshots = new Map<string, Array<{ node: NodeId.NodeId; alive: boolean; state: unknown }>>()
  private lastAsked: { readonly actor: string | undefined; readonly snapshot: Card.Snapshot<any> } = nothingAsked
  private readonly readings: Globals.Readings
  private readonly delaySpanNanos: number
  private readonly delayMinNanos: number
  private readonly tracing: Tracing | undefined

  constructor(options: WorldOptions) {
    this.options = options
    const { trace } = options
    this.tracing =
      trace === undefined
        ? undefined
        : new Tracing(
            (event) => this.outside(() => trace(event)),
            () => this.nowMillis
          )
    this.order = new Prng(options.seed, "order")
    this.network = new Prng(options.seed, "network")
    const chance = new Prng(options.seed, "Math.random")
    this.readings = {
      random: () => chance.next(),
      millis: () => epochMillis + Math.floor(this.nowMillis),
      sinceStartMillis: () => this.nowMillis
    }
    const { clockDriftPpmMax, clockSkewMillisMax, delayMillisMax, delayMillisMin } = options.faults
    this.delayMinNanos = Math.round(delayMillisMin * 1e6)
    this.delaySpanNanos = Math.max(0, Math.round((delayMillisMax - delayMillisMin) * 1e6))
    const clocks = new Prng(options.seed, "clocks")
    this.nodes = options.nodes.map(
      (id, index) =>
        new SimulatedNode(
          id,
          index,
          1 + clocks.between(-clockDriftPpmMax, clockDriftPpmMax) / 1e6,
          clocks.between(-clockSkewMillisMax, clockSkewMillisMax)
        )
    )
    for (const node of this.nodes) this.byId.set(node.id, node)
  }

  // ------------------------------------------------------------------------------------------- what properties see

  get nowMillis(): number {
    return this.nowNanos / 1e6
  }

  readonly isAlive = (node: NodeId.NodeId): boolean => this.byId.get(node)?.life !== undefined

  readonly snapshot = (actor: string): Card.Snapshot<any> => {
    // Property after property asks for the same.
    if (actor !== this.lastAsked.actor) this.lastAsked = { actor, snapshot: this.snapshots.get(actor) ?? [] }
    return this.lastAsked.snapshot
  }

  // ------------------------------------------------------------------------------------------------------ the loop

  /** Starts every node; all are up before the first program runs. */
  start(): void {
    this.within(() => {
      for (const node of this.nodes) this.begin(node)
      for (const node of this.nodes) this.runProgram(node)
    })
  }

  /** Runs `effect` in the world but on no node: what drives a test. */
  fork<A, E>(effect: Effect.Effect<A, E, any>, onExit: (exit: Exit.Exit<A, E>) => void): void {
    this.within(() => {
      this.soon(this.control, Context.merge(this.options.context, this.seams(this.control, "control")), effect, onExit)
    })
  }

  /**
   * Runs up to `budget` tasks and events, none of them after `untilNanos`. Returns why it stopped: nothing is left, time
   * is up, or the budget is used.
   */
  advance(budget: number, untilNanos: number, isOver: () => boolean): "quiet" | "time" | "budget" | "over" {
    return this.within(() => {
      for (let left = budget; left > 0; left--) {
        if (isOver()) return "over"
        const next = this.nextHappening()
        const isBusy = this.ready.length > 0
        if (!isBusy && next === undefined) return "quiet"
        if (!isBusy) this.tasksNow = 0
        else if (++this.tasksNow > tasksAnInstant) this.nowNanos += nanosPerTaskAfter
        const isTask = isBusy && (next === undefined || next.atNanos >= this.nowNanos)
        const atNanos = isTask ? this.nowNanos : Math.max(this.nowNanos, next!.atNanos)
        if (atNanos > untilNanos) {
          this.nowNanos = untilNanos
          return "time"
        }
        this.nowNanos = atNanos
        if (isTask) this.runReady()
        else {
          this.happenings.pop()
          next!.happen()
        }
        this.counts.steps++
        this.onChange()
      }
      return "budget"
    })
  }

  private nextHappening(): Happening | undefined {
    for (;;) {
      const next = this.happenings.peek()
      if (next === undefined || !next.cancelled) return next
      this.happenings.pop()
      this.cancelled--
    }
  }

  /** Ends every life that is left: programs are interrupted, finalizers run, and no time passes. */
  close(): void {
    this.closing = true
    this.within(() => {
      for (const node of this.nodes) this.resume(node)
      const lives = [this.control, ...this.nodes.flatMap(({ life }) => life ?? [])]
      for (const life of lives) life.main?.interruptUnsafe()
      this.runAllReady()
      for (const life of lives) {
        const context = Context.merge(this.options.context, this.seams(life, "close"))
        Effect.runForkWith(context)(Scope.close(life.scope, Exit.void))
      }
      this.runAllReady()
      for (const node of this.nodes) this.end(node)
      this.control.alive = false
    })
  }

  private runAllReady(): void {
    for (let left = tasksAnInstant; left > 0 && this.ready.length > 0; left--) this.runReady()
  }

  private within<A>(run: () => A): A {
    if (this.running) return run()
    this.running = true
    try {
      return Globals.within(this.readings, run)
    } finally {
      this.running = false
    }
  }

  private runReady(): void {
    const ready = this.ready
    const at = ready.length === 1 ? 0 : this.order.below(ready.length)
    const chosen = ready[at]!
    const last = ready.pop()!
    if (at < ready.length) ready[at] = last
    this.on(chosen.life, chosen.task)
  }

  /** Does something on a node: now, when it goes on, or never when that life is over. */
  private on(life: Life, action: () => void): void {
    if (!life.alive) return
    if (life.node !== undefined && life.node.paused) life.node.backlog.push(action)
    else action()
  }

  private at(delayNanos: number, action: () => void): Alarm {
    this.touch()
    const alarm = new Alarm(this.nowNanos + delayNanos, this.sequence++, action)
    this.happenings.push(alarm)
    return alarm
  }

  /** Cancelled alarms go when their time comes, or when they are the most of all that waits. */
  private cancel(alarm: Alarm): void {
    alarm.cancelled = true
    if (++this.cancelled < 64 || this.cancelled * 2 < this.happenings.size) return
    this.happenings.retain(({ cancelled }) => !cancelled)
    this.cancelled = 0
  }

  /** The world is moved. By whom? */
  private touch(): void {
    if (!this.running) this.disturbed = true
  }

  /** What takes the trace is no part of the world: it may write it to a file. */
  private outside(run: () => void): void {
    const before = this.running
    this.running = false
    run()
    this.running = before
  }

  /** A property does not hold. */
  broken(property: string): void {
    this.tracing?.broken(property)
  }

  // ------------------------------------------------------------------------------------------------ life and death

  private begin(node: SimulatedNode): void {
    node.lives++
    node.life = new Life(node, this.tracing?.cast())
  }

  private end(node: SimulatedNode): void {
    if (node.life !== undefined) node.life.alive = false
    node.life = undefined
    node.paused = false
    node.backlog = []
  }

  private runProgram(node: SimulatedNode): void {
    const life = node.life!
    const context = Context.merge(this.options.context, this.seams(life, `${node.id}/${node.lives}`)).pipe(
      Context.add(Transport, this.transport(life)),
      Context.add(Scope.Scope, life.scope),
      Context.add(Observer, this.observer(life))
    )
    const program = Effect.suspend(() => this.options.program(node.id))
    this.soon(life, context, program, (exit) => {
      if (!life.alive || this.closing) return
      if (Exit.isFailure(exit)) this.failures.push({ node: node.id, cause: exit.cause })
    })
  }

  /** Starts the main fiber of a life, when its turn comes. */
  private soon<A, E>(
    life: Life,
    context: Context.Context<never>,
    effect: Effect.Effect<A, E, any>,
    onExit: (exit: Exit.Exit<A, E>) => void
  ): void {
    const task = (): void => {
      const fiber = Effect.runForkWith(context as Context.Context<any>)(effect)
      life.main = fiber
      fiber.addObserver(onExit)
    }
    this.ready.push({ life, task })
  }

  readonly crash = (id: NodeId.NodeId): void => {
    const node = this.find(id)
    if (node.life === undefined) return
    this.tracing?.crashed(node.life.cast!, id)
    this.end(node)
    for (const states of this.snapshots.values()) {
      for (const entry of states) if (entry.node === id) entry.alive = false
    }
    this.onStep(true)
    this.tellOthers(node, { _tag: "Down", peer: id, reason: "crashed" })
  }

  readonly restart = (id: NodeId.NodeId): void => {
    const node = this.find(id)
    if (node.life !== undefined) return
    this.tracing?.restarted(id)
    this.begin(node)
    this.tellOthers(node, { _tag: "Up", peer: id })
    this.runProgram(node)
  }

  readonly pause = (id: NodeId.NodeId): void => {
    const node = this.find(id)
    if (node.life === undefined || node.paused) return
    this.tracing?.note("stands still", [id])
    node.paused = true
  }

  readonly unpause = (id: NodeId.NodeId): void => {
    const node = this.find(id)
    if (node.paused) {
      this.tracing?.note("goes on", [id])
      this.resume(node)
    }
  }

  private resume(node: SimulatedNode): void {
    const backlog = node.backlog
    const life = node.life
    node.paused = false
    node.backlog = []
    for (const action of backlog) if (life?.alive) this.on(life, action)
  }

  private tellOthers(node: SimulatedNode, event: LinkEvent): void {
    for (const other of this.nodes) {
      if (other !== node) other.life?.tell(event)
    }
  }

  private find(id: NodeId.NodeId): SimulatedNode {
    const node = this.byId.get(id)
    if (node === undefined)
      throw new RangeError(`"${id}" is not a node of this world: ${this.options.nodes.join(", ")}`)
    return node
  }

  // ---------------------------------------------------------------------------------------------------- the faults

  /** Cuts every link from a node of `from` to one of `to`. Returns how to mend that. */
  readonly cut = (from: ReadonlyArray<NodeId.NodeId>, to: ReadonlyArray<NodeId.NodeId>): (() => void) => {
    const sides = `what ${from.join(" ")} ${from.length === 1 ? "sends" : "send"} to ${to.join(" ")}`
    const before = this.tracing === undefined ? "" : this.partsText()
    this.cutLinks(from, to, 1)
    this.noteCut(`${sides} is lost from now on`, from, before)
    let mended = false
    return () => {
      if (mended) return
      mended = true
      const before = this.tracing === undefined ? "" : this.partsText()
      this.cutLinks(from, to, -1)
      this.noteCut(`${sides} arrives again`, from, before)
    }
  }

  /** Nothing passes between nodes of different parts from now on. Takes the place of the split before. */
  readonly split = (parts: ReadonlyArray<ReadonlyArray<NodeId.NodeId>>): void => {
    const change = (by: number): void => {
      for (const part of parts) for (const other of parts) if (other !== part) this.cutLinks(part, other, by)
    }
    this.unsplit()
    change(1)
    this.unsplit = () => change(-1)
    this.tracing?.split(parts)
  }

  private unsplit: () => void = () => {}

  private cutLinks(from: ReadonlyArray<NodeId.NodeId>, to: ReadonlyArray<NodeId.NodeId>, by: number): void {
    for (const source of from) {
      const cuts = (this.find(source).cuts ??= new Int32Array(this.nodes.length))
      for (const target of to) if (target !== source) cuts[this.find(target).index]! += by
    }
  }

  /** A cut in one direction splits the network only together with others. */
  private noteCut(text: string, nodes: ReadonlyArray<NodeId.NodeId>, before: string): void {
    if (this.tracing === undefined) return
    this.tracing.note(text, nodes)
    if (this.partsText() !== before) this.tracing.split(this.parts())
  }

  private partsText(): string {
    return this.parts().join(" | ")
  }

  /** What is left of the network: nodes are in one part if something passes between them, by way of others at least. */
  private parts(): ReadonlyArray<ReadonlyArray<NodeId.NodeId>> {
    const isCut = (a: SimulatedNode, b: SimulatedNode): boolean => (a.cuts?.[b.index] ?? 0) > 0
    const left = new Set(this.nodes)
    const parts: Array<ReadonlyArray<NodeId.NodeId>> = []
    for (const first of this.nodes) {
      if (!left.delete(first)) continue
      const part = [first]
      for (const node of part) {
        for (const other of left) {
          if (isCut(node, other) && isCut(other, node)) continue
          left.delete(other)
          part.push(other)
        }
      }
      parts.push(part.toSorted((a, b) => a.index - b.index).map(({ id }) => id))
    }
    return parts
  }

  readonly jump = (id: NodeId.NodeId, byMillis: number): void => {
    this.tracing?.note(`its clock jumps by ${byMillis} ms`, [id])
    this.find(id).offsetMillis += byMillis
  }

  /** Lets an event of a plan happen at its time. */
  schedule(event: Faults.Event): void {
    this.within(() => this.at(Math.round(event.atMillis * 1e6), () => this.strike(event)))
  }

  private strike(event: Faults.Event): void {
    const later = (millis: number, action: () => void): void => void this.at(Math.round(millis * 1e6), action)
    switch (event._tag) {
      case "Crash": {
        if (!this.isAlive(event.node)) return
        this.crash(event.node)
        return later(event.forMillis, () => this.restart(event.node))
      }
      case "Pause": {
        const node = this.find(event.node)
        const { life } = node
        if (life === undefined || node.paused) return
        this.pause(event.node)
        // Another life has other pauses.
        return later(event.forMillis, () => life.alive && this.unpause(event.node))
      }
      case "Partition": {
        const others = this.options.nodes.filter((node) => !event.side.includes(node))
        if (event.direction !== "both") {
          return later(
            event.forMillis,
            event.direction === "from" ? this.cut(event.side, others) : this.cut(others, event.side)
          )
        }
        const change = (by: number): void => {
          this.cutLinks(event.side, others, by)
          this.cutLinks(others, event.side, by)
          this.tracing?.split(this.parts())
        }
        change(1)
        return later(event.forMillis, () => change(-1))
      }
      case "ClockJump":
        return this.jump(event.node, event.byMillis)
    }
  }

  // ----------------------------------------------------------------------------------------------------- the seams

  private seams(life: Life, stream: string): Context.Context<never> {
    const prng = new Prng(this.options.seed, `random/${stream}`)
    return Context.empty().pipe(
      Context.add(Scheduler.Scheduler, this.scheduler(life)),
      Context.add(Clock.Clock, this.clock(life)),
      Context.add(Tracer.Tracer, this.tracer(stream)),
      Context.add(Random.Random, {
        nextDoubleUnsafe: () => prng.next(),
        nextIntUnsafe: () => Math.floor(prng.between(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER))
      })
    )
  }

  /** Spans of Effect's own have ids of the seed. A tracer that is provided from outside is left to its own ways. */
  private tracer(stream: string): Tracer.Tracer {
    const given = Context.get(this.options.context, Tracer.Tracer)
    if (given !== Context.get(Context.empty(), Tracer.Tracer)) return given
    const prng = new Prng(this.options.seed, `spans/${stream}`)
    return Tracer.make({ span: (options) => new SeededSpan(options, prng) })
  }

  private scheduler(life: Life): Scheduler.Scheduler {
    const { yieldProbability } = this.options
    return {
      executionMode: "async",
      shouldYield: (fiber: Fiber.Fiber<unknown, unknown>) => {
        // Whoever wakes a fiber of a crashed node: it gets no further than to wait for a turn that never comes.
        if (!life.alive) return true
        this.touch()
        // The first operation is the end of the wait, the second what waited: a yield before it would be one for nothing.
        const mayYield = fiber.currentOpCount > 2
        return (
          (mayYield && this.order.chance(yieldProbability)) || fiber.currentOpCount >= fiber.cache.maxOpsBeforeYield
        )
      },
      makeDispatcher: () => {
        const scheduleTask = (task: () => void): void => {
          if (!life.alive) return
          this.touch()
          this.ready.push({ life, task })
        }
        return {
          scheduleTask,
          flush: () => {
            while (this.ready.length > 0) this.runReady()
          }
        }
      }
    }
  }

  private clock(life: Life): Clock.Clock {
    const world = this
    const node = life.node
    const local = (): number => (node === undefined ? world.nowNanos : Math.floor(world.nowNanos * node.rate))
    const millis = (): number => Math.floor(epochMillis + local() / 1e6 + (node === undefined ? 0 : node.offsetMillis))
    const clock: Clock.Clock = {
      currentTimeMillisUnsafe: millis,
      currentTimeMillis: Effect.sync(() => millis()),
      currentTimeNanosUnsafe: () => BigInt(millis()) * 1_000_000n,
      currentTimeNanos: Effect.sync(() => clock.currentTimeNanosUnsafe()),
      monotonicTimeNanosUnsafe: () => BigInt(local()),
      monotonicTimeNanos: Effect.sync(() => clock.monotonicTimeNanosUnsafe()),
      sleep: (duration) => {
        const asked = Duration.toMillis(duration)
        if (asked <= 0) return Effect.yieldNow
        if (!Number.isFinite(asked)) return Effect.never
        return Effect.callback<void>((resume) => {
          const nanos = Math.ceil(Math.round(asked * 1e6) / (node === undefined ? 1 : node.rate))
          const alarm = world.at(nanos, () => world.on(life, () => resume(Effect.void)))
          return Effect.sync(() => world.cancel(alarm))
        })
      }
    }
    return clock
  }

  private transport(life: Life): Transport["Service"] {
    return {
      self: life.node!.id,
      nodes: this.options.nodes,
      links: Stream.callback<LinkEvent>(
        (queue) =>
          Effect.acquireRelease(
            Effect.sync(() => {
              const listener = (event: LinkEvent): void => void Queue.offerUnsafe(queue, event)
              life.linkListeners.add(listener)
              return listener
            }),
            (listener) => Effect.sync(() => life.linkListeners.delete(listener))
          ),
        { bufferSize: 256, strategy: "sliding" }
      ),
      open: <Message>(channel: Channel.Channel<Message>, receive: Receive<Message>) =>
        Effect.acquireRelease(
          Effect.suspend((): Effect.Effect<Port, ChannelInUse> => {
            const port = life.port(channel.name)
            if (port.receive !== undefined) {
              return Effect.fail(new ChannelInUse({ node: life.node!.id, channel: channel.name }))
            }
            port.receive = receive
            if (port.held.length > 0) this.at(0, () => this.on(life, () => this.deliverHeld(port)))
            return Effect.succeed(port)
          }),
          (port) =>
            Effect.sync(() => {
              port.receive = undefined
            })
        ).pipe(Effect.map(() => this.sender(life, channel.name)))
    }
  }

  private sender<Message>(life: Life, channel: string): Send<Message> {
    const node = life.node!
    return (to, message) => {
      if (!life.alive || this.closing) return
      this.touch()
      const target = this.byId.get(to)
      const carried =
        this.tracing === undefined ? message : this.tracing.seal(life.cast!, node.id, to, channel, message)
      if (target === undefined) {
        this.noteLost(carried, "unknown-node")
        life.tell({ _tag: "Dropped", peer: to, count: 1, reason: "unknown-node" })
      } else if (this.happenings.size >= capacity) {
        this.counts.lost++
        this.noteLost(carried, "outbound-full")
        life.tell({ _tag: "Dropped", peer: to, count: 1, reason: "outbound-full" })
      } else this.send(node, target, channel, carried)
    }
  }

  private send(node: SimulatedNode, target: SimulatedNode, channel: string, message: unknown): void {
    const { calmNanos, faults } = this.options
    const { duplicationProbability, lossProbability, reorderProbability } =
      this.nowNanos < calmNanos ? faults : Faults.none
    this.counts.sent++
    const life = target.life
    const cut = node.cuts !== undefined && node.cuts[target.index]! > 0
    const { carry } = this.options
    if (carry !== undefined && !cut) return carry(this.carried(node, target, channel, message))
    // What a node sends to itself is on no link.
    if (target === node) return this.enqueue(node, life!, channel, message, this.nowNanos)
    if (life === undefined || cut || this.network.chance(lossProbability)) {
      this.counts.lost++
      this.noteLost(message, life === undefined ? "down" : cut ? "cut" : "lost")
      return
    }
    const lastArrival = (node.lastArrival ??= new Float64Array(this.nodes.length))
    const overtakes = this.network.chance(reorderProbability)
    let atNanos = this.nowNanos + this.delay(node, target)
    if (!overtakes) {
      if (atNanos < lastArrival[target.index]!) atNanos = lastArrival[target.index]!
      lastArrival[target.index] = atNanos
    }
    this.enqueue(node, life, channel, message, atNanos)
    if (this.network.chance(duplicationProbability)) {
      this.counts.duplicated++
      // After the first, or it would overtake.
      this.enqueue(node, life, channel, message, Math.max(atNanos, this.nowNanos + this.delay(node, target)))
    }
  }

  private carried(node: SimulatedNode, target: SimulatedNode, channel: string, message: unknown): Carried {
    const lose = (reason = "lost"): void => {
      this.counts.lost++
      this.noteLost(message, reason)
    }
    return {
      from: node.id,
      to: target.id,
      channel,
      message: message instanceof Sealed ? message.message : message,
      arrive: () => {
        this.touch()
        if (target.life === undefined) lose("down")
        else if (!this.closing) this.arrive(target.life.port(channel), node.id, message)
      },
      lose
    }
  }

  private enqueue(node: SimulatedNode, life: Life, channel: string, message: unknown, atNanos: number): void {
    this.happenings.push(new Delivery(this, atNanos, this.sequence++, life.port(channel), node.id, message))
  }

  private delay(from: SimulatedNode, to: SimulatedNode): number {
    const { delays } = this.options
    if (delays !== undefined) {
      const link = from.index * this.nodes.length + to.index
      const least = delays.minNanos[link]!
      if (!Number.isNaN(least)) return least + Math.floor(this.network.next() * delays.spanNanos[link]!)
    }
    return this.delaySpanNanos === 0
      ? this.delayMinNanos
      : this.delayMinNanos + Math.floor(this.network.next() * this.delaySpanNanos)
  }

  arrive(port: Port, from: NodeId.NodeId, message: unknown): void {
    const { alive, node } = port.life
    if (!alive) {
      this.counts.lost++
      this.noteLost(message, "down")
    } else if (!node!.paused) this.deliver(port, from, message)
    else if (node!.backlog.length < capacity) node!.backlog.push(() => this.deliver(port, from, message))
    else this.drop(port, from, message, "outbound-full")
  }

  private deliver(port: Port, from: NodeId.NodeId, message: unknown): void {
    if (port.receive === undefined || port.held.length > 0) {
      if (port.held.length < this.options.holdMessages) port.held.push({ from, message })
      else this.drop(port, from, message, "channel-not-open")
    } else this.hand(port, from, message)
  }

  private deliverHeld(port: Port): void {
    const held = port.held
    let at = 0
    for (; at < held.length && port.receive !== undefined; at++) this.hand(port, held[at]!.from, held[at]!.message)
    port.held = held.slice(at)
  }

  private hand(port: Port, from: NodeId.NodeId, message: unknown): void {
    this.counts.delivered++
    let content = message
    if (message instanceof Sealed) {
      this.tracing!.handed(port.life.cast!, port.life.node!.id, from, port.channel, message)
      content = message.message
    }
    try {
      port.receive!(from, content)
    } catch (defect) {
      this.failures.push({ node: port.life.node!.id, cause: Cause.die(defect) })
    }
  }

  /** In a world that is traced, messages are sealed. */
  private noteLost(message: unknown, reason: string): void {
    if (message instanceof Sealed) this.tracing!.lost(message.id, reason)
  }

  private drop(port: Port, from: NodeId.NodeId, message: unknown, reason: DropReason): void {
    this.counts.lost++
    this.noteLost(message, reason)
    this.byId.get(from)?.life?.tell({ _tag: "Dropped", peer: port.life.node!.id, count: 1, reason })
  }

  private observer(life: Life): Observer {
    const entries = new Map<string, { node: NodeId.NodeId; alive: boolean; state: unknown }>()
    return {
      onSpawn: ({ actor, node, state }) => {
        let states = this.snapshots.get(actor)
        if (states === undefined) {
          this.snapshots.set(actor, (states = []))
          this.lastAsked = nothingAsked
        }
        let entry = states.find((other) => other.node === node)
        if (entry === undefined) states.push((entry = { node, alive: true, state }))
        else Object.assign(entry, { alive: true, state })
        entries.set(actor, entry)
        this.tracing?.spawned(life.cast!, actor)
        this.onStep(true)
      },
      onStep: (step) => {
        if (!life.alive || this.closing) return
        const entry = entries.get(step.actor)!
        const changed = entry.state !== step.state
        entry.state = step.state
        this.tracing?.stepped(life.cast!, step)
        this.onStep(changed)
      },
      onStop: ({ actor, node }) => {
        if (!life.alive || this.closing) return
        this.tracing?.stopped(life.cast!, node, actor)
        entries.get(actor)!.alive = false
        this.onStep(true)
      }
    }
  }
}

class SeededSpan extends Tracer.NativeSpan {
  private readonly prng: Prng

  constructor(options: ConstructorParameters<typeof Tracer.NativeSpan>[0], prng: Prng) {
    super(options)
    this.prng = prng
  }

  override get traceId(): string {
    return (this._traceId ??= Option.getOrUndefined(this.parent)?.traceId ?? this.prng.hex(32))
  }

  override get spanId(): string {
    return (this._spanId ??= this.prng.hex(16))
  }
}

class Alarm implements Happening {
  readonly atNanos: number
  readonly sequence: number
  cancelled = false
  private readonly action: () => void

  constructor(atNanos: number, sequence: number, action: () => void) {
    this.atNanos = atNanos
    this.sequence = sequence
    this.action = action
  }

  happen(): void {
    this.action()
  }
}

/** A message under way. There may be millions: what they share is in the port and the world. */
class Delivery implements Happening {
  private readonly world: World
  readonly atNanos: number
  readonly sequence: number
  private readonly port: Port
  private readonly from: NodeId.NodeId
  private readonly message: unknown

  constructor(world: World, atNanos: number, sequence: number, port: Port, from: NodeId.NodeId, message: unknown) {
    this.world = world
    this.atNanos = atNanos
    this.sequence = sequence
    this.port = port
    this.from = from
    this.message = message
  }

  get cancelled(): boolean {
    return false
  }

  happen(): void {
    this.world.arrive(this.port, this.from, this.message)
  }
}
