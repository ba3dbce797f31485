/**
 * Each node a process of its own, over TCP or UDP on the loopback interface.
 *
 * The nodes begin when all links are up, so that over TCP nothing is lost and counts are exact. They report what they do to the
 * parent, which puts the reports in order by their times, and holds the guarantees against the states so merged: a
 * message is received later than it was sent, so cause comes before effect.
 */
import type { NodeId } from "@troupe/transport"
import { Deferred, Effect } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { getCompileCacheDir } from "node:module"
import type { Sighting } from "../Sighting.ts"
import type { Tally } from "../Tally.ts"
import { unpack } from "./Packing.ts"
import { staged } from "./Staging.ts"
import { NodeFailed, type Run, settled, type Staged } from "./World.ts"

/** What the nodes are connected by. */
export type Over = "tcp" | "udp"

export interface Begin {
  readonly _tag: "Begin"
  readonly over: Over
  readonly algorithm: string
  readonly cluster: string
  readonly self: NodeId.NodeId
  readonly nodes: ReadonlyArray<NodeId.NodeId>
  readonly entries: number
  readonly seed: number
  readonly workMillis: number
  readonly crash: Staged | undefined
}

/** What a node is told. */
export type Order =
  | Begin
  | { readonly _tag: "Connect"; readonly ports: Readonly<Record<NodeId.NodeId, number>> }
  | { readonly _tag: "Start" }
  | { readonly _tag: "Stop" }

/** What a node says. */
export type Word =
  | { readonly _tag: "Listening"; readonly port: number }
  | { readonly _tag: "Linked" }
  /** All that it saw until then, after what it said before. */
  | { readonly _tag: "Saw"; readonly sightings: ReadonlyArray<Sighting>; readonly upToNanos: number }
  | { readonly _tag: "Failed"; readonly reason: string }

/** What a node's process runs: a source when this is one. */
const isSource = import.meta.url.endsWith(".ts")
const script = new URL(isSource ? "process.ts" : "process.js", import.meta.url)

const silentAfterMillis = 10_000

export const processes = (over: Over) => (run: Run, tally: Tally) =>
  Effect.gen(function* () {
    const { crash, demonstration, entries, kill, nodes, seed, workMillis } = run
    const failed = yield* Deferred.make<never, NodeFailed>()
    const merge = new Merge(nodes)
    const staff = yield* Effect.forEach(nodes, (node) => employ(node, merge, failed))
    const tellAll = (order: (node: NodeId.NodeId) => Order) =>
      Effect.sync(() => staff.forEach(({ child, node }) => child.send(order(node))))

    const work = Effect.gen(function* () {
      const cluster = `run-${process.pid}`
      yield* tellAll((self) => ({
        _tag: "Begin",
        over,
        algorithm: demonstration.name,
        cluster,
        self,
        nodes,
        entries,
        seed,
        workMillis,
        crash
      }))
      const ports = yield* allOf(staff, ({ listening }) => listening, "did not start")
      yield* tellAll(() => ({ _tag: "Connect", ports: Object.fromEntries(nodes.map((node, i) => [node, ports[i]!])) }))
      yield* allOf(staff, ({ linked }) => linked, "did not connect to all others")
      yield* tellAll(() => ({ _tag: "Start" }))
      merge.begin()
      if (kill !== undefined) yield* Effect.forkScoped(killing(kill, staff, merge))
      const end =
        crash === undefined
          ? settled(tally, workMillis, over === "udp")
          : staged(run, tally, (node) =>
              Effect.sync(() =>
                slay(
                  staff.find((each) => each.node === node)!,
                  merge
                )
              )
            )
      yield* Effect.raceFirst(follow(merge, tally), end)
      return tally.outcome()
    })
    return yield* Effect.raceFirst(work, Deferred.await(failed))
  }).pipe(Effect.scoped)

interface Employee {
  readonly node: NodeId.NodeId
  readonly child: ChildProcess
  readonly listening: Deferred.Deferred<number>
  readonly linked: Deferred.Deferred<void>
}

/** Starts the process of a node. It is gone when the scope closes, and ends by itself when this process dies. */
const employ = (node: NodeId.NodeId, merge: Merge, failed: Deferred.Deferred<never, NodeFailed>) =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const listening = yield* Deferred.make<number>()
      const linked = yield* Deferred.make<void>()
      const child = fork(script, [], {
        env: { ...process.env, NODE_COMPILE_CACHE: getCompileCacheDir() },
        execArgv: isSource ? ["--conditions=@troupe/source"] : [],
        stdio: ["ignore", "ignore", "pipe", "ipc"],
        serialization: "advanced"
      })
      let lastWords = ""
      child.stderr!.on("data", (chunk) => {
        lastWords = `${lastWords}${chunk}`.slice(-4096)
      })
      const fail = (reason: string): boolean =>
        Deferred.doneUnsafe(failed, Effect.fail(new NodeFailed({ node, reason })))
      child.on("error", (error) => fail(error.message))
      child.on("exit", (code, signal) => {
        if (merge.isGone(node)) return
        const said = /^\w*Error: .*$/m.exec(lastWords)?.[0]
        fail(`its process ended early (${signal ?? `exit code ${code}`})${said === undefined ? "" : `, ${said}`}`)
      })
      child.on("message", (word: Word) => {
        switch (word._tag) {
          case "Listening":
            return Deferred.doneUnsafe(listening, Effect.succeed(word.port))
          case "Linked":
            return Deferred.doneUnsafe(linked, Effect.void)
          case "Saw":
            return merge.add(node, word.sightings, word.upToNanos)
          case "Failed":
            return fail(word.reason)
        }
      })
      const employee: Employee = { node, child, listening, linked }
      return employee
    }),
    ({ child }) => dismiss(child)
  )

const killing = (
  { afterMillis, nodes }: NonNullable<Run["kill"]>,
  staff: ReadonlyArray<Employee>,
  merge: Merge
): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* Effect.sleep(afterMillis)
    for (const employee of staff) if (nodes.includes(employee.node)) slay(employee, merge)
  })

const slay = ({ child, node }: Employee, merge: Merge): void => {
  merge.bury(node, Number(process.hrtime.bigint()))
  child.kill("SIGKILL")
}

const dismiss = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    const kill = setTimeout(() => child.kill("SIGKILL"), 1_000)
    child.once("exit", () => {
      clearTimeout(kill)
      resume(Effect.void)
    })
    if (!child.connected) child.kill("SIGKILL")
    else child.send({ _tag: "Stop" } satisfies Order, () => {})
  })

/** Waits for all nodes, and tells which of them keeps the others waiting. */
const allOf = <A>(
  staff: ReadonlyArray<Employee>,
  what: (employee: Employee) => Deferred.Deferred<A>,
  missed: string
): Effect.Effect<ReadonlyArray<A>, NodeFailed> =>
  Effect.forEach(
    staff,
    (employee) =>
      Effect.timeoutOrElse(Deferred.await(what(employee)), {
        duration: 30_000 + 1_000 * staff.length,
        orElse: () => Effect.fail(new NodeFailed({ node: employee.node, reason: `its process ${missed} in time` }))
      }),
    { concurrency: "unbounded" }
  )

/** Hands on what the nodes saw, as it becomes certain, and fails when one of them says nothing any more. */
const follow = (merge: Merge, tally: Tally): Effect.Effect<never, NodeFailed> =>
  Effect.forever(
    Effect.suspend(() => {
      for (const sighting of merge.take()) tally.see(sighting)
      const silent = merge.silentFor(silentAfterMillis)
      return silent === undefined
        ? Effect.sleep("20 millis")
        : Effect.fail(
            new NodeFailed({ node: silent, reason: `its process has said nothing for ${silentAfterMillis / 1000} s` })
          )
    })
  )

/** Brings what several nodes saw into one order. */
export class Merge {
  private readonly upToNanos: Map<NodeId.NodeId, number>
  private readonly heardAtMillis: Map<NodeId.NodeId, number>
  private waiting: Array<Sighting> = []
  private readonly gone = new Set<NodeId.NodeId>()

  constructor(nodes: ReadonlyArray<NodeId.NodeId>) {
    this.upToNanos = new Map(nodes.map((node) => [node, 0]))
    this.heardAtMillis = new Map(nodes.map((node) => [node, Infinity]))
  }

  /** From now on, silence counts. */
  begin(): void {
    for (const node of this.heardAtMillis.keys()) this.heardAtMillis.set(node, performance.now())
  }

  /** The node is dead: it reports nothing more, and is not waited for. */
  bury(node: NodeId.NodeId, atNanos: number): void {
    this.gone.add(node)
    this.upToNanos.delete(node)
    this.heardAtMillis.delete(node)
    this.waiting.push({ _tag: "Killed", node, atNanos })
  }

  isGone(node: NodeId.NodeId): boolean {
    return this.gone.has(node)
  }

  add(node: NodeId.NodeId, sightings: ReadonlyArray<Sighting>, upToNanos: number): void {
    if (this.gone.has(node)) return
    for (const sighting of sightings) {
      this.waiting.push("state" in sighting ? { ...sighting, state: unpack(sighting.state) } : sighting)
    }
    this.upToNanos.set(node, upToNanos)
    this.heardAtMillis.set(node, performance.now())
  }

  /** What no node can report anything earlier than any more, in the order of time. */
  take(): ReadonlyArray<Sighting> {
    const certain = Math.min(...this.upToNanos.values())
    const taken = this.waiting.filter(({ atNanos }) => atNanos < certain)
    if (taken.length > 0) this.waiting = this.waiting.filter(({ atNanos }) => atNanos >= certain)
    return taken.sort((a, b) => a.atNanos - b.atNanos)
  }

  /** A node that has said nothing in the last `millis`. */
  silentFor(millis: number): NodeId.NodeId | undefined {
    const now = performance.now()
    for (const [node, heardAt] of this.heardAtMillis) if (now - heardAt > millis) return node
    return undefined
  }
}
