/**
 * The bulletin board on five processes, of which one is cut off for a while: both sides go on, the boards converge, and at
 * every replica, at every time, each reply stands after its post.
 */
import { merge, SpaceTime, Trace } from "@troupe/trace"
import { Clock, Deferred, Effect, Schema, type Scope } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { getCompileCacheDir } from "node:module"
import * as Wires from "./Wires.ts"

/** What a member is told. */
export type Order =
  | {
      readonly _tag: "Begin"
      readonly self: string
      readonly nodes: ReadonlyArray<string>
      readonly cluster: string
      readonly paceMillis: number
    }
  | { readonly _tag: "Connect"; readonly addresses: Readonly<Record<string, string>> }
  | { readonly _tag: "Start" }
  /** Post no more. */
  | { readonly _tag: "Quiet" }
  | { readonly _tag: "Stop" }

/** What a member says. */
export type Word =
  | { readonly _tag: "Listening"; readonly port: number }
  | { readonly _tag: "Linked" }
  | { readonly _tag: "Posted"; readonly id: string }
  /** All posts of its replica, and the most replies that it has ever shown without their post. */
  | { readonly _tag: "Shows"; readonly posts: ReadonlyArray<string>; readonly strays: number }
  | { readonly _tag: "Recorded"; readonly trace: string }
  | { readonly _tag: "Failed"; readonly reason: string }

export class MemberFailed extends Schema.TaggedError<MemberFailed>()("MemberFailed", {
  node: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `The process of ${this.node} failed: ${this.reason}`
  }
}

export interface Options {
  readonly partitionMillis: number
  /** How long members post before the cut, and after it. */
  readonly beforeMillis: number
  readonly afterMillis: number
  /** A member posts about this often. */
  readonly paceMillis: number
  readonly say: (line: string) => Effect.Effect<void>
}

export interface Outcome {
  readonly nodes: ReadonlyArray<string>
  /** Who was cut off. */
  readonly alone: string
  readonly posts: number
  /** Posts that were taken while the network was split. */
  readonly alonePosted: number
  readonly othersPosted: number
  /** Posts of the other side that somebody showed meanwhile: none, if it was split. */
  readonly crossed: number
  readonly converged: boolean
  /** From the mending until all boards were the same, or posting had ended and they were. */
  readonly convergedMillis: number
  readonly lost: number
  readonly strays: number
  readonly svg: string
}

const nodes = ["n1", "n2", "n3", "n4", "n5"]
const alone = "n3"
/** How long the boards may take to become the same. */
const settleMillis = 20_000
const eventsDrawn = 1_500

interface Member {
  readonly node: string
  readonly child: ChildProcess
  readonly listening: Deferred.Deferred<number>
  readonly linked: Deferred.Deferred<void>
  readonly recorded: Deferred.Deferred<string>
  readonly posted: Array<string>
  shows: ReadonlyArray<string>
  strays: number
  isDone: boolean
}

/** What a member's process runs: a source when this is one. */
const isSource = import.meta.url.endsWith(".ts")
const script = new URL(isSource ? "member.ts" : "member.js", import.meta.url)

export const run = (options: Options): Effect.Effect<Outcome, MemberFailed> =>
  Effect.gen(function* () {
    const failed = yield* Deferred.make<never, MemberFailed>()
    const wires = yield* Wires.make
    const members = yield* Effect.forEach(nodes, (node) => employ(node, failed))
    return yield* Effect.raceFirst(meeting(members, wires, options), Deferred.await(failed))
  }).pipe(Effect.scoped)

const meeting = Effect.fnUntraced(function* (members: ReadonlyArray<Member>, wires: Wires.Wires, options: Options) {
  const { afterMillis, beforeMillis, paceMillis, partitionMillis, say } = options
  const tellAll = (order: (node: string) => Order) =>
    Effect.sync(() => members.forEach(({ child, node }) => child.send(order(node))))
  const cluster = `board-${process.pid}`
  yield* tellAll((self) => ({ _tag: "Begin", self, nodes, cluster, paceMillis }))
  yield* connect(members, wires)
  yield* tellAll(() => ({ _tag: "Start" }))
  yield* say(`${nodes.join(", ")}: a process each, over TCP. They post, and answer what they have read.`)
  yield* Effect.sleep(beforeMillis)

  const countOf = (member: Member): number => member.posted.length
  const before = new Map(members.map((member) => [member.node, countOf(member)]))
  const splitAt = yield* Clock.currentTimeMillis
  yield* wires.cut(alone)
  yield* say(`${alone} is cut off for ${partitionMillis / 1_000} s.`)
  yield* Effect.sleep(partitionMillis)
  const meanwhile = members.map((member) => ({ member, posts: member.posted.slice(before.get(member.node)) }))
  const alonePosts = meanwhile.flatMap(({ member, posts }) => (member.node === alone ? posts : []))
  const otherPosts = meanwhile.flatMap(({ member, posts }) => (member.node === alone ? [] : posts))
  const crossed = members.flatMap(({ node, shows }) =>
    shows.filter((post) => (node === alone ? otherPosts : alonePosts).includes(post))
  )
  yield* say(`Meanwhile ${alone} took ${alonePosts.length} posts, and the others ${otherPosts.length}.`)
  yield* wires.mend
  const mendedAt = yield* Clock.currentTimeMillis
  yield* say("The cut is mended.")
  yield* Effect.sleep(afterMillis)
  yield* tellAll(() => ({ _tag: "Quiet" }))
  const converged = yield* same(members)
  const convergedMillis = (yield* Clock.currentTimeMillis) - mendedAt
  yield* Effect.sync(() => members.forEach((member) => void (member.isDone = true)))
  yield* tellAll(() => ({ _tag: "Stop" }))
  const traces = yield* Effect.forEach(members, ({ recorded }) => Deferred.await(recorded))

  const all = new Set(members.flatMap(({ posted }) => posted))
  return {
    nodes,
    alone,
    posts: all.size,
    alonePosted: alonePosts.length,
    othersPosted: otherPosts.length,
    crossed: crossed.length,
    converged,
    convergedMillis,
    lost: Math.max(...members.map(({ shows }) => [...all].filter((post) => !shows.includes(post)).length)),
    strays: Math.max(...members.map(({ strays }) => strays)),
    svg: yield* picture(traces, splitAt, mendedAt)
  }
})

const connect = Effect.fnUntraced(function* (members: ReadonlyArray<Member>, wires: Wires.Wires) {
  const ports = yield* Effect.forEach(members, ({ listening }) => Deferred.await(listening))
  // Of two nodes one dials, through a relay.
  for (const [rank, { child, node }] of members.entries()) {
    const addresses: Record<string, string> = {}
    for (let to = 0; to < rank; to++) addresses[nodes[to]!] = yield* wires.dial(node, nodes[to]!, ports[to]!)
    child.send({ _tag: "Connect", addresses } satisfies Order)
  }
  yield* Effect.forEach(members, ({ linked }) => Deferred.await(linked))
})

/** Waits until all boards have the same posts, and no more come; whether they do in time. */
const same = (members: ReadonlyArray<Member>): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const until = (yield* Clock.currentTimeMillis) + settleMillis
    const isSame = (): boolean => {
      const all = new Set(members.flatMap(({ posted, shows }) => [...posted, ...shows]))
      return members.every(({ shows }) => shows.length === all.size)
    }
    // A post that was on its way when it became quiet may come yet: twice the same in a row.
    for (let times = 0; times < 2;) {
      if ((yield* Clock.currentTimeMillis) > until) return false
      yield* Effect.sleep(500)
      times = isSame() ? times + 1 : 0
    }
    return true
  })

/** Of an event, what is drawn: posts as they are taken, and gossip; of what a member says to itself, nothing. */
const drawn = (event: Trace.Event): ReadonlyArray<Trace.Event> => {
  if (event._tag !== "Step") return []
  const tagOf = (message: unknown): string => (message as { readonly _tag: string })._tag
  const actions = event.actions.filter((action) => action._tag === "Send" && tagOf(action.message) === "Gossip")
  if (event.input._tag !== "Message") return actions.length > 0 ? [{ ...event, actions }] : []
  const tag = tagOf(event.input.message)
  if (tag === "Gossip") return [{ ...event, actions }]
  if (tag !== "Update") return actions.length > 0 ? [{ ...event, actions }] : []
  const { id: _, ...input } = event.input
  return [{ ...event, input, actions }]
}

/** A message by the posts in it. */
const label = (value: unknown): string => {
  const {
    _tag: tag,
    records,
    request
  } = value as {
    readonly _tag: string
    readonly records?: ReadonlyArray<{ readonly update?: { readonly id: string } }>
    readonly request?: { readonly update: { readonly id: string } }
  }
  if (request !== undefined) return `post ${request.update.id}`
  const posts = (records ?? []).flatMap(({ update }) => (update === undefined ? [] : [update.id]))
  return posts.length > 0 ? posts.join(" ") : tag === "Gossip" ? "acks" : tag
}

const picture = Effect.fnUntraced(function* (traces: ReadonlyArray<string>, splitAt: number, mendedAt: number) {
  const decoded = yield* Effect.orDie(Effect.forEach(traces, Trace.decode))
  const merged = merge("bulletin board: one of five is cut off", decoded)
  const parts = [[alone], nodes.filter((node) => node !== alone)]
  const remarks: ReadonlyArray<Trace.Event & { readonly atMillis: number }> = [
    { _tag: "Split", parts, atMillis: splitAt },
    { _tag: "Split", parts: [nodes], atMillis: mendedAt }
  ]
  let events: ReadonlyArray<Trace.Event> = merged.events.flatMap(drawn)
  for (const remark of remarks) {
    const at = events.findIndex(({ atMillis }) => atMillis !== undefined && atMillis > remark.atMillis)
    if (at >= 0) events = events.toSpliced(at, 0, remark)
  }
  return SpaceTime.svg({ ...merged, events }, { label, limit: eventsDrawn, highlight: -1 })
})

/** Starts the process of a member. It is gone when the scope closes, and ends by itself when this process dies. */
const employ = (
  node: string,
  failed: Deferred.Deferred<never, MemberFailed>
): Effect.Effect<Member, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const listening = yield* Deferred.make<number>()
      const linked = yield* Deferred.make<void>()
      const recorded = yield* Deferred.make<string>()
      const child = fork(script, [], {
        env: { ...process.env, NODE_COMPILE_CACHE: getCompileCacheDir() },
        execArgv: isSource ? ["--conditions=@troupe/source"] : [],
        stdio: ["ignore", "ignore", "inherit", "ipc"],
        serialization: "advanced"
      })
      const member: Member = {
        ...{ node, child, listening, linked, recorded },
        ...{ posted: [], shows: [], strays: 0, isDone: false }
      }
      const fail = (reason: string): void =>
        void Deferred.doneUnsafe(failed, Effect.fail(new MemberFailed({ node, reason })))
      child.on("error", (error) => fail(error.message))
      child.on("exit", (code, signal) => {
        if (!member.isDone) fail(`it ended early, ${signal ?? `exit code ${code}`}`)
      })
      child.on("message", (word: Word) => hear(member, word, fail))
      return member
    }),
    ({ child }) => Effect.sync(() => void child.kill("SIGKILL"))
  )

const hear = (member: Member, word: Word, fail: (reason: string) => void): void => {
  switch (word._tag) {
    case "Listening":
      return void Deferred.doneUnsafe(member.listening, Effect.succeed(word.port))
    case "Linked":
      return void Deferred.doneUnsafe(member.linked, Effect.void)
    case "Posted":
      return void member.posted.push(word.id)
    case "Shows":
      member.shows = word.posts
      member.strays = word.strays
      return
    case "Recorded":
      return void Deferred.doneUnsafe(member.recorded, Effect.succeed(word.trace))
    case "Failed":
      return fail(word.reason)
  }
}
