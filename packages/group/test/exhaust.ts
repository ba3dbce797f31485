/**
 * A multicast's protocol in every interleaving: some members send a few messages each, one may crash in the midst of any
 * step, and the predicates of `Delivery` are asked of what each life was delivered.
 *
 * A member that crashes in a step has sent the first so many of what the step asked for, and the rest never. What the step
 * told its user, its user was told: that is how a delivery can die with its node.
 */
import type { Protocol } from "@troupe/actor"
import { Delivery } from "@troupe/consistency"
import type { Multicast } from "@troupe/group"
import { Checker, Property, System } from "@troupe/model-checker"
import { Effect } from "effect"

export interface Bounds {
  /** Default: 3. */
  readonly nodes?: number
  /** How many messages each of the first nodes sends. Default: `[2, 2]`. */
  readonly messages?: ReadonlyArray<number>
  /** Who may crash in the midst of a step. Default: nobody. */
  readonly mortal?: ReadonlyArray<string>
  /** How many messages of one step may still get away, where its node crashes. Default: none, one, … to all but one. */
  readonly getAway?: ReadonlyArray<number>
  readonly network?: System.Network
  readonly timeouts?: "any" | "synchronous" | "never"
  /** The views that each node hears of after one another, at any time, after a view 0 of all. Default: none. */
  readonly views?: ReadonlyArray<Protocol.View>
  /** States of nodes beyond are not gone on from. */
  readonly within?: (state: any) => boolean
  /** Asked at each state, besides the guarantees: of the protocol's states, whether all is well. */
  readonly always?: (states: ReadonlyArray<any>) => boolean
  /**
   * Whether deliveries have an order that matters; where none is guaranteed, fewer states do. Default: where there are
   * views, or the guarantees have one.
   */
  readonly ordered?: boolean
  /**
   * Whether the guarantees are asked at the ends of runs alone, so that orders of steps that come to the same are left out. A
   * delivery is never taken back: what is broken on the way is broken at the end.
   */
  readonly atEnds?: boolean
  readonly search?: Checker.Options
}

interface Mortal {
  readonly inner: unknown
  /** In its next step it crashes, having sent so many messages. */
  readonly doom: number | undefined
  readonly dead: boolean
  /** What is noted of it, where that is not noted of all in one place. */
  readonly noted: ReadonlyArray<string>
}

type Command = { readonly _tag: "Doom"; readonly getAway: number } | { readonly _tag: string }

/** `protocol`, which crashes in the step after it is told of its doom. */
const mortal = (protocol: Protocol.Any, notes: boolean): Protocol.Protocol<Mortal, any, Command, any, any, any> => {
  type Act = Protocol.Actions<any, any, any, any>
  const live = (state: Mortal, act: Act, step: (inner: any, act: Act) => unknown): Mortal => {
    if (state.dead) return state
    const noted = notes ? [...state.noted] : []
    const noting = notes ? listening(act, noted) : act
    const was = (before: ReadonlyArray<string>): ReadonlyArray<string> =>
      noted.length === before.length ? before : noted
    if (state.doom === undefined) {
      const inner = step(state.inner, noting)
      return inner === state.inner && was(state.noted) === state.noted
        ? state
        : { ...state, inner, noted: was(state.noted) }
    }
    const inner = step(state.inner, dying(noting, state.doom))
    noting.emit({ _tag: "Died" })
    return { inner, doom: undefined, dead: true, noted: was(state.noted) }
  }
  const sends = (state: Mortal, command: Command): Mortal =>
    notes && !state.dead && command._tag === "Multicast"
      ? { ...state, noted: [...state.noted, `send ${(command as unknown as { payload: string }).payload}`] }
      : state
  return {
    ...protocol,
    init: (self) => ({ inner: protocol.init(self), doom: undefined, dead: false, noted: [] }),
    onStart: (state, act) => live(state, act, (inner, act) => protocol.onStart?.(inner, act) ?? inner),
    onCommand: (state, command, act) =>
      command._tag === "Doom"
        ? state.dead
          ? state
          : { ...state, doom: (command as { readonly getAway: number }).getAway }
        : live(sends(state, command), act, (inner, act) => protocol.onCommand(inner, command, act)),
    onMessage: (state, from, message, act) =>
      live(state, act, (inner, act) => protocol.onMessage(inner, from, message, act)),
    onTimeout: (state, timer, act) =>
      live(state, act, (inner, act) => protocol.onTimeout?.(inner, timer, act) ?? inner),
    onView: (state, view, act) => live(state, act, (inner, act) => protocol.onView?.(inner, view, act) ?? inner)
  }
}

/** What a handler may ask; what it tells its user is noted. */
const listening = (
  act: Protocol.Actions<any, any, any, any>,
  noted: Array<string>
): Protocol.Actions<any, any, any, any> => ({
  self: act.self,
  send: (to, message) => act.send(to, message),
  sendAll: (to, message) => act.sendAll(to, message),
  setTimer: (timer, delayMillis) => act.setTimer(timer, delayMillis),
  clearTimer: (timer) => act.clearTimer(timer),
  emit: (event) => {
    const what = toldOf(event)
    if (what !== undefined) noted.push(what)
    act.emit(event)
  },
  now: () => act.now(),
  monotonic: () => act.monotonic(),
  random: () => act.random()
})

/** What a handler may ask, of which only the first `left` messages get away. */
const dying = (act: Protocol.Actions<any, any, any, any>, left: number): Protocol.Actions<any, any, any, any> => {
  let sent = 0
  const send = (to: string, message: unknown): void => {
    if (sent++ < left) act.send(to, message)
  }
  return {
    self: act.self,
    send,
    sendAll: (all, message) => all.forEach((to) => send(to, message)),
    setTimer: () => {},
    clearTimer: () => {},
    emit: (event) => act.emit(event),
    now: () => act.now(),
    monotonic: () => act.monotonic(),
    random: () => act.random()
  }
}

// ------------------------------------------------------------------------------------------------------------ what is noted

/** Of each node, what it sent and was delivered: texts, so that equal histories are equal. */
type History = Readonly<Record<string, ReadonlyArray<string>>>

const noteOf = (occurrence: System.Occurrence<any, any, any>): readonly [node: string, what: string] | undefined => {
  if (occurrence._tag === "Commanded" && occurrence.command._tag === "Multicast") {
    return [occurrence.node, `send ${occurrence.command.payload}`]
  }
  if (occurrence._tag !== "Emitted") return undefined
  const what = toldOf(occurrence.event)
  return what === undefined ? undefined : [occurrence.node, what]
}

const toldOf = (event: any): string | undefined => {
  if (event._tag === "Delivered") return `deliver ${event.payload} ${event.view}`
  if (event._tag === "Viewed") return `view ${event.view.number} ${event.view.members.join(" ")}`
  return event._tag === "Died" ? "crash" : undefined
}

const record = (nodes: ReadonlyArray<string>, ordered: boolean, hasViews: boolean) => ({
  // Where views come, all begin in one.
  init: Object.fromEntries(nodes.map((node) => [node, hasViews ? [`view 0 ${nodes.join(" ")}`] : []])) as History,
  note: (history: History, occurrence: System.Occurrence<any, any, any>): History => {
    const noted = noteOf(occurrence)
    if (noted === undefined) return history
    const [node, what] = noted
    const all = [...history[node]!, what]
    // Sends come before deliveries, and a crash last, in any order of names as well.
    return { ...history, [node]: ordered ? all : all.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1)) }
  }
})

const rank = (what: string): number => (what.startsWith("send") ? 0 : what.startsWith("crash") ? 2 : 1)

/** What each node was delivered, of the system's last state. */
export const traceOf = (history: History): Delivery.Trace => Delivery.make(history)

// --------------------------------------------------------------------------------------------------------------- the search

interface Memo {
  readonly sent: number
  readonly doomed: boolean
  readonly views: number
}

const guaranteed = "guarantees"
const fulfilled = "guarantees at the end"

/** Every run within the bounds, against these guarantees. */
export const exhaust = (
  protocol: { readonly name: string },
  options: unknown,
  guarantees: ReadonlyArray<Multicast.Guarantee>,
  bounds: Bounds = {}
): Promise<Checker.Report> => {
  const { always = () => true, atEnds = false, messages = [2, 2], mortal: mortals = [], views = [] } = bounds
  const nodes = Array.from({ length: bounds.nodes ?? 3 }, (_, i) => `n${i + 1}`)
  const ordered =
    bounds.ordered ??
    (views.length > 0 || guarantees.some((each) => !["best-effort", "reliable", "uniform"].includes(each)))
  const getAway = bounds.getAway ?? Array.from({ length: nodes.length - 1 }, (_, i) => i)
  const verdicts = new Map<string, boolean>()
  const holds = (history: History, complete: boolean): boolean => {
    const key = `${complete}${JSON.stringify(history)}`
    let verdict = verdicts.get(key)
    if (verdict === undefined) {
      verdict = Delivery.check(guarantees, traceOf(history), { complete })._tag === "Ok"
      verdicts.set(key, verdict)
    }
    return verdict
  }
  const notedBy = (all: System.View<Mortal, History>["nodes"]): History =>
    Object.fromEntries(
      all.map(({ node, state }) => [
        node,
        views.length > 0 ? [`view 0 ${nodes.join(" ")}`, ...state.noted] : state.noted
      ])
    )
  const system = System.make<Mortal, any, any, any, any, Memo, History>({
    name: protocol.name,
    members: System.members(mortal(protocol as Protocol.Any, atEnds), nodes, options as never),
    ...(bounds.network === undefined ? {} : { network: bounds.network }),
    ...(bounds.timeouts === undefined ? {} : { timeouts: bounds.timeouts }),
    user: {
      memo: { sent: 0, doomed: false, views: 0 },
      moves: ({ memo, node, state }) => {
        const moves: Array<System.Move<any, Memo>> = []
        if (state.dead) return moves
        if (memo.sent < (messages[nodes.indexOf(node)] ?? 0)) {
          const payload = `${node}.${memo.sent + 1}`
          const command = { _tag: "Multicast", payload }
          moves.push({ _tag: "Command", command, memo: { ...memo, sent: memo.sent + 1 } })
        }
        if (mortals.includes(node) && !memo.doomed) {
          for (const count of getAway) {
            const command = { _tag: "Doom", getAway: count }
            moves.push({ _tag: "Command", command, memo: { ...memo, doomed: true } })
          }
        }
        const view = views[memo.views]
        if (view?.members.includes(node) === true) {
          moves.push({ _tag: "View", view, memo: { ...memo, views: memo.views + 1 } })
        }
        return moves
      }
    },
    ...(atEnds ? {} : { record: record(nodes, ordered, views.length > 0) }),
    ...(bounds.within === undefined
      ? {}
      : {
          within: ({ nodes }: System.View<Mortal, History>) => nodes.every(({ state }) => bounds.within!(state.inner))
        }),
    properties: [
      ...(atEnds
        ? []
        : [
            Property.always(
              guaranteed,
              ({ history, nodes }: System.View<Mortal, History>) =>
                holds(history, false) && always(nodes.map(({ state }) => state.inner))
            )
          ]),
      Property.atTheEnd(
        fulfilled,
        ({ history, nodes }: System.View<Mortal, History>) =>
          // Doomed and not struck: it is as good as up.
          nodes.some(({ state }) => state.doom !== undefined) || holds(atEnds ? notedBy(nodes) : history, true)
      )
    ]
  })
  return Effect.runPromise(Checker.check(system, { stopAtViolation: true, partialOrder: atEnds, ...bounds.search }))
}

/** What is broken, and whether all was seen: a search ends at what is broken. */
export const broken = ({ complete, properties }: Checker.Report) => ({
  complete,
  broken: properties.filter(({ verdict }) => verdict === "violated").map(({ name }) => name)
})

export const nothing = { complete: true, broken: [] }
