/**
 * The simulated world: nodes, their lives, the network between them and the one loop that runs it all.
 *
 * Everything that happens is either a ready task of a fiber or an event at a virtual time. Ready tasks run first, in an
 * order that the seed picks; when none is left, time jumps to the next event. Nothing else moves the world.
 */
import type { Card, Observer as ObserverModule } from "@troupe/actor"
import { type Channel, ChannelInUse, type LinkEvent, type NodeId, type Receive, type Send, Transport } from "@troupe/transport"
import {
  Cause,
  Clock,
  Context,
  Duration,
  Effect,
  Exit,
  type Fiber,
  PubSub,
  Random,
  Scheduler,
  Scope,
  Stream
} from "effect"
import { Observer } from "@troupe/actor"
import type * as Faults from "../Faults.ts"
import type * as Property from "../Property.ts"
import { Heap, type Timed } from "./Heap.ts"
import { Prng } from "./Prng.ts"

export interface WorldOptions {
  readonly seed: number
  readonly nodes: ReadonlyArray<NodeId.NodeId>
  readonly faults: Faults.Faults
  /** Of a fiber that could go on, that another gets its turn first, at each of its operations. */
  readonly yieldProbability: number
  /** How many early messages wait for a channel; one more is dropped. */
  readonly holdMessages: number
  readonly trace: ((line: string) => void) | undefined
  /** What a node runs, from its start and again from each restart. */
  readonly program: (node: NodeId.NodeId) => Effect.Effect<unknown, unknown, any>
  readonly context: Context.Context<never>
}

export interface Counts {
  sent: number
  delivered: number
  lost: number
  duplicated: number
  steps: number
}

/** Virtual time starts here, by every clock without skew: 2020-01-01T00:00:00Z. */
const epochMillis = 1_577_836_800_000

interface Happening extends Timed {
  happen(): void
}

/** From one start of a node to its crash. What belongs to a life that is over does nothing any more. */
class Life {
  alive = true
  readonly node: SimulatedNode | undefined
  readonly ports = new Map<string, Port>()
  readonly scope = Scope.makeUnsafe()
  readonly links = Effect.runSync(PubSub.sliding<LinkEvent>(256))
  done = false

  constructor(node: SimulatedNode | undefined) {
    this.node = node
  }
}

interface Port {
  receive: Receive<any> | undefined
  held: Array<{ readonly from: NodeId.NodeId; readonly message: unknown }>
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
  /** Called after each step of an actor, and after each task or event. */
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
  private readonly control = new Life(undefined)
  private readonly happenings = new Heap<Happening>()
  private readonly ready: Array<{ readonly life: Life; readonly task: () => void }> = []
  private readonly order: Prng
  private readonly network: Prng
  private sequence = 0
  private closing = false
  private readonly snapshots = new Map<string, Array<{ node: NodeId.NodeId; alive: boolean; state: unknown }>>()
  private readonly delaySpanNanos: number
  private readonly delayMinNanos: number

  constructor(options: WorldOptions) {
    this.options = options
    this.order = new Prng(options.seed, "order")
    this.network = new Prng(options.seed, "network")
    const { clockDriftPpmMax, clockSkewMillisMax, delayMillisMax, delayMillisMin } = options.faults
    this.delayMinNanos = Math.round(delayMillisMin * 1e6)
    this.delaySpanNanos = Math.max(0, Math.round((delayMillisMax - delayMillisMin) * 1e6))
    const clocks = new Prng(options.seed, "clocks")
    this.nodes = options.nodes.map((id, index) =>
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

  readonly snapshot = (actor: string): Card.Snapshot<any> => this.snapshots.get(actor) ?? []

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
      const context = Context.merge(this.options.context, this.seams(this.control, "control"))
      Effect.runForkWith(context as Context.Context<any>)(effect).addObserver(onExit)
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
        if (this.ready.length > 0) this.runReady()
        else {
          const next = this.happenings.peek()
          if (next === undefined) return "quiet"
          if (next.atNanos > untilNanos) {
            this.nowNanos = untilNanos
            return "time"
          }
          this.happenings.pop()
          this.nowNanos = next.atNanos
          next.happen()
        }
        this.counts.steps++
        this.onChange()
      }
      return "budget"
    })
  }

  /** Ends every life that is left, finalizers included. */
  close(): void {
    this.closing = true
    this.within(() => {
      for (const node of this.nodes) {
        if (node.life === undefined) continue
        this.resume(node)
        const context = Context.merge(this.options.context, this.seams(node.life, "close"))
        Effect.runForkWith(context)(Scope.close(node.life.scope, Exit.void))
      }
      for (let left = 100_000; left > 0 && this.ready.length > 0; left--) this.runReady()
      for (const node of this.nodes) this.end(node)
    })
  }

  /** Whether some program waits for something. */
  get isWaiting(): boolean {
    return this.nodes.some(({ life }) => life !== undefined && !life.done)
  }

  private within<A>(run: () => A): A {
    const before = this.running
    this.running = true
    try {
      return run()
    } finally {
      this.running = before
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

  private at(delayNanos: number, action: () => void): { cancelled: boolean } {
    const entry = {
      atNanos: this.nowNanos + delayNanos,
      sequence: this.sequence++,
      cancelled: false,
      happen: () => {
        if (!entry.cancelled) action()
      }
    }
    this.happenings.push(entry)
    return entry
  }

  note(line: string): void {
    if (this.options.trace !== undefined) this.options.trace(`${(this.nowNanos / 1e6).toFixed(6)} ${line}`)
  }

  // ------------------------------------------------------------------------------------------------ life and death

  private begin(node: SimulatedNode): void {
    node.lives++
    node.life = new Life(node)
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
    Effect.runForkWith(context as Context.Context<any>)(this.options.program(node.id)).addObserver((exit) => {
      if (!life.alive) return
      life.done = true
      if (Exit.isFailure(exit) && !this.closing) this.failures.push({ node: node.id, cause: exit.cause })
    })
  }

  readonly crash = (id: NodeId.NodeId): void => {
    const node = this.find(id)
    if (node.life === undefined) return
    this.note(`${id} crashes`)
    this.end(node)
    for (const states of this.snapshots.values()) {
      for (const entry of states) if (entry.node === id) entry.alive = false
    }
    this.tellOthers(node, { _tag: "Down", peer: id, reason: "crashed" })
  }

  readonly restart = (id: NodeId.NodeId): void => {
    const node = this.find(id)
    if (node.life !== undefined) return
    this.note(`${id} restarts`)
    this.begin(node)
    this.tellOthers(node, { _tag: "Up", peer: id })
    this.runProgram(node)
  }

  readonly pause = (id: NodeId.NodeId): void => {
    const node = this.find(id)
    if (node.life === undefined || node.paused) return
    this.note(`${id} stands still`)
    node.paused = true
  }

  readonly unpause = (id: NodeId.NodeId): void => {
    const node = this.find(id)
    if (node.paused) {
      this.note(`${id} goes on`)
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
      if (other !== node && other.life !== undefined) PubSub.publishUnsafe(other.life.links, event)
    }
  }

  private find(id: NodeId.NodeId): SimulatedNode {
    const node = this.byId.get(id)
    if (node === undefined) throw new RangeError(`"${id}" is not a node of this world: ${this.options.nodes.join(", ")}`)
    return node
  }

  // ---------------------------------------------------------------------------------------------------- the faults

  /** Cuts every link from a node of `from` to one of `to`. Returns how to mend that. */
  readonly cut = (from: ReadonlyArray<NodeId.NodeId>, to: ReadonlyArray<NodeId.NodeId>): () => void => {
    const change = (by: number): void => {
      for (const source of from) {
        const cuts = this.find(source).cuts ??= new Int32Array(this.nodes.length)
        for (const target of to) if (target !== source) cuts[this.find(target).index]! += by
      }
    }
    this.note(`cut {${from.join(" ")}} to {${to.join(" ")}}`)
    change(1)
    let mended = false
    return () => {
      if (mended) return
      mended = true
      this.note(`mend {${from.join(" ")}} to {${to.join(" ")}}`)
      change(-1)
    }
  }

  readonly jump = (id: NodeId.NodeId, byMillis: number): void => {
    this.note(`the clock of ${id} jumps by ${byMillis} ms`)
    this.find(id).offsetMillis += byMillis
  }

  /** Lets an event of a plan happen at its time. */
  schedule(event: Faults.Event): void {
    this.at(Math.round(event.atMillis * 1e6), () => {
      const later = (millis: number, action: () => void): void => void this.at(Math.round(millis * 1e6), action)
      switch (event._tag) {
        case "Crash": {
          if (!this.isAlive(event.node)) return
          this.crash(event.node)
          return later(event.forMillis, () => this.restart(event.node))
        }
        case "Pause":
          this.pause(event.node)
          return later(event.forMillis, () => this.unpause(event.node))
        case "Partition": {
          const others = this.options.nodes.filter((node) => !event.side.includes(node))
          const out = event.direction !== "to" ? this.cut(event.side, others) : () => {}
          const into = event.direction !== "from" ? this.cut(others, event.side) : () => {}
          return later(event.forMillis, () => {
            out()
            into()
          })
        }
        case "ClockJump":
          return this.jump(event.node, event.byMillis)
      }
    })
  }

  // ----------------------------------------------------------------------------------------------------- the seams

  private seams(life: Life, stream: string): Context.Context<never> {
    const prng = new Prng(this.options.seed, `random/${stream}`)
    return Context.empty().pipe(
      Context.add(Scheduler.Scheduler, this.scheduler(life)),
      Context.add(Clock.Clock, this.clock(life)),
      Context.add(Random.Random, {
        nextDoubleUnsafe: () => prng.next(),
        nextIntUnsafe: () => Math.floor(prng.between(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER))
      })
    )
  }

  private scheduler(life: Life): Scheduler.Scheduler {
    const { yieldProbability } = this.options
    return {
      executionMode: "async",
      shouldYield: (fiber: Fiber.Fiber<unknown, unknown>) =>
        this.order.chance(yieldProbability) || fiber.currentOpCount >= fiber.cache.maxOpsBeforeYield,
      makeDispatcher: () => {
        const scheduleTask = (task: () => void): void => {
          if (!life.alive) return
          if (!this.running) this.disturbed = true
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
    const local = (): number => node === undefined ? world.nowNanos : Math.floor(world.nowNanos * node.rate)
    const millis = (): number =>
      Math.floor(epochMillis + local() / 1e6 + (node === undefined ? 0 : node.offsetMillis))
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
          const nanos = Math.ceil(asked * 1e6 / (node === undefined ? 1 : node.rate))
          const entry = world.at(nanos, () => world.on(life, () => resume(Effect.void)))
          return Effect.sync(() => {
            entry.cancelled = true
          })
        })
      }
    }
    return clock
  }

  private transport(life: Life): Transport["Service"] {
    return {
      self: life.node!.id,
      nodes: this.options.nodes,
      links: Stream.fromPubSub(life.links),
      open: <Message>(channel: Channel.Channel<Message>, receive: Receive<Message>) =>
        Effect.acquireRelease(
          Effect.suspend((): Effect.Effect<Port, ChannelInUse> => {
            const port = portOf(life, channel.name)
            if (port.receive !== undefined) {
              return Effect.fail(new ChannelInUse({ node: life.node!.id, channel: channel.name }))
            }
            port.receive = receive
            const held = port.held
            port.held = []
            for (const { from, message } of held) {
              this.at(0, () => this.on(life, () => this.deliver(life, channel.name, from, message)))
            }
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
      const target = this.byId.get(to)
      if (target === undefined) {
        PubSub.publishUnsafe(life.links, { _tag: "Dropped", peer: to, count: 1, reason: "unknown-node" })
        return
      }
      this.send(node, target, channel, message)
    }
  }

  private send(node: SimulatedNode, target: SimulatedNode, channel: string, message: unknown): void {
    const { duplicationProbability, lossProbability, reorderProbability } = this.options.faults
    this.counts.sent++
    const life = target.life
    const cut = node.cuts !== undefined && node.cuts[target.index]! > 0
    if (life === undefined || cut || this.network.chance(lossProbability)) {
      this.counts.lost++
      if (this.options.trace !== undefined) {
        const why = life === undefined ? "down" : cut ? "cut" : "lost"
        this.note(`${node.id} > ${target.id} ${channel} ${render(message)} ${why}`)
      }
      return
    }
    const lastArrival = node.lastArrival ??= new Float64Array(this.nodes.length)
    let atNanos = this.nowNanos + this.delay()
    if (!this.network.chance(reorderProbability)) {
      if (atNanos < lastArrival[target.index]!) atNanos = lastArrival[target.index]!
      lastArrival[target.index] = atNanos
    }
    this.happenings.push(new Delivery(this, atNanos, this.sequence++, life, channel, node.id, message))
    if (this.options.trace !== undefined) {
      this.note(`${node.id} > ${target.id} ${channel} ${render(message)} arrives ${(atNanos / 1e6).toFixed(6)}`)
    }
    if (this.network.chance(duplicationProbability)) {
      this.counts.duplicated++
      const again = this.nowNanos + this.delay()
      this.happenings.push(new Delivery(this, again, this.sequence++, life, channel, node.id, message))
    }
  }

  private delay(): number {
    return this.delaySpanNanos === 0
      ? this.delayMinNanos
      : this.delayMinNanos + Math.floor(this.network.next() * this.delaySpanNanos)
  }

  deliver(life: Life, channel: string, from: NodeId.NodeId, message: unknown): void {
    const port = life.ports.get(channel) ?? portOf(life, channel)
    if (port.receive === undefined) {
      if (port.held.length < this.options.holdMessages) port.held.push({ from, message })
      else this.counts.lost++
      return
    }
    this.counts.delivered++
    try {
      port.receive(from, message)
    } catch (defect) {
      this.failures.push({ node: life.node!.id, cause: Cause.die(defect) })
    }
  }

  arrive(life: Life, channel: string, from: NodeId.NodeId, message: unknown): void {
    if (!life.alive) {
      this.counts.lost++
      return
    }
    if (life.node!.paused) this.on(life, () => this.deliver(life, channel, from, message))
    else this.deliver(life, channel, from, message)
  }

  private observer(life: Life): ObserverModule {
    const entries = new Map<string, { node: NodeId.NodeId; alive: boolean; state: unknown }>()
    return {
      onSpawn: ({ actor, node, state }) => {
        let states = this.snapshots.get(actor)
        if (states === undefined) this.snapshots.set(actor, states = [])
        let entry = states.find((other) => other.node === node)
        if (entry === undefined) states.push(entry = { node, alive: true, state })
        else Object.assign(entry, { alive: true, state })
        entries.set(actor, entry)
      },
      onStep: (step) => {
        if (!life.alive || this.closing) return
        entries.get(step.actor)!.state = step.state
        if (this.options.trace !== undefined) this.note(`${step.node} ${step.actor} ${describeStep(step)}`)
        this.onChange()
      }
    }
  }
}

class Delivery implements Happening {
  readonly world: World
  readonly atNanos: number
  readonly sequence: number
  readonly life: Life
  readonly channel: string
  readonly from: NodeId.NodeId
  readonly message: unknown

  constructor(
    world: World,
    atNanos: number,
    sequence: number,
    life: Life,
    channel: string,
    from: NodeId.NodeId,
    message: unknown
  ) {
    this.world = world
    this.atNanos = atNanos
    this.sequence = sequence
    this.life = life
    this.channel = channel
    this.from = from
    this.message = message
  }

  happen(): void {
    this.world.arrive(this.life, this.channel, this.from, this.message)
  }
}

const portOf = (life: Life, channel: string): Port => {
  let port = life.ports.get(channel)
  if (port === undefined) life.ports.set(channel, port = { receive: undefined, held: [] })
  return port
}

const render = (value: unknown): string =>
  JSON.stringify(value, (_key, inner) =>
    typeof inner === "bigint" ? `${inner}n` : inner instanceof Map || inner instanceof Set ? [...inner] : inner)

const describeStep = (step: Parameters<ObserverModule["onStep"]>[0]): string => {
  const { input } = step
  const what = input._tag === "Message"
    ? `Message of ${input.from} ${render(input.message)}`
    : input._tag === "Command"
    ? `Command ${render(input.command)}`
    : input._tag === "Timeout"
    ? `Timeout ${input.timer}`
    : input._tag === "View"
    ? `View ${render(input.view)}`
    : "Start"
  const emitted = step.actions.flatMap((action) => action._tag === "Emit" ? [` emits ${render(action.event)}`] : [])
  return `${what}${emitted.join("")}${step.failure === undefined ? "" : ` fails: ${String(step.failure)}`}`
}
