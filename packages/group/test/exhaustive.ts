/** Every interleaving of a few members of a kernel, a few messages and a few views. */
import type { Protocol } from "@troupe/actor"
import { Checker, Property, System } from "@troupe/model-checker"
import { Effect } from "effect"
import type { Command, Kernel } from "../src/internal/kernel.ts"
import { defaults, type Options } from "../src/internal/options.ts"
import type { State } from "../src/internal/state.ts"
import type { Event } from "../src/internal/step.ts"

export interface Bounds {
  readonly protocol: Kernel<number, any>
  readonly nodes: ReadonlyArray<string>
  /** How many messages each of these sends, at any time. */
  readonly sends: Readonly<Record<string, number>>
  /** As each node hears of them, at any time; without any, all nodes are members for good. */
  readonly views?: ReadonlyArray<Protocol.View>
  readonly options?: Partial<Options>
  readonly network?: System.Network
  readonly crashes?: System.Crashes
  readonly timeouts?: "any" | "synchronous" | "never"
  readonly within?: (state: State) => boolean
  /** Looks for what `uniform` promises, also without it. */
  readonly looksUniform?: boolean
  readonly budget?: Checker.Options
}

interface Memo {
  readonly sent: number
  readonly views: number
}

/** Of each node, by view, how many messages of each it was delivered. */
type History = Readonly<
  Record<string, ReadonlyArray<readonly [view: number, counts: Readonly<Record<string, number>>]>>
>

export const exhaust = (bounds: Bounds): Promise<Checker.Report> => {
  const { nodes, sends, views = [] } = bounds
  const first = views.length === 0 ? [[0, {}] as const] : []
  return Effect.runPromise(
    Checker.check(
      System.make({
        name: "kernel",
        members: System.members(bounds.protocol, nodes, {
          ...defaults,
          members: views.length === 0 ? "static" : "views",
          ...bounds.options
        }),
        network: bounds.network ?? {},
        ...(bounds.crashes === undefined ? {} : { crashes: bounds.crashes }),
        timeouts: bounds.timeouts ?? "never",
        user: {
          memo: { sent: 0, views: 0 },
          moves: ({ memo, node, state }): ReadonlyArray<System.Move<Command<number>, Memo>> => [
            // The sequence of views as this node hears it: those that it is in, and that leave it out.
            ...(memo.views < views.length
              ? [{ _tag: "View" as const, view: views[memo.views]!, memo: { ...memo, views: memo.views + 1 } }]
              : []),
            ...(memo.sent < (sends[node] ?? 0) && state.view !== undefined
              ? [
                  {
                    _tag: "Command" as const,
                    command: { _tag: "Multicast" as const, payload: memo.sent + 1 },
                    memo: { ...memo, sent: memo.sent + 1 }
                  }
                ]
              : [])
          ]
        },
        record: {
          init: Object.fromEntries(nodes.map((node) => [node, first])) as History,
          about: ({ _tag }) => _tag === "Emitted",
          note: (history, occurrence: System.Occurrence<unknown, Event<number>>) =>
            occurrence._tag === "Emitted" ? note(history, occurrence.node, occurrence.event) : history
        },
        properties: [
          Property.always(sameDeliveries, ({ history }: View) => agree(history)),
          Property.always(inOrder, ({ history }: View) => !broken(history)),
          ...(bounds.options?.uniform === true || bounds.looksUniform === true
            ? [Property.always(uniformly, ({ history }: View) => noMoreThanSurvivors(history))]
            : []),
          Property.atTheEnd(atRest, ({ history, nodes: all }: View) => {
            const live = all.filter(({ alive, state }) => alive && state.failed === undefined)
            const last = live.map(({ node }) => JSON.stringify(history[node]!.at(-1)))
            return (
              live.every(({ state }) => state.flush === undefined && state.view !== undefined) &&
              last.every((each) => each === last[0])
            )
          })
        ],
        ...(bounds.within === undefined
          ? {}
          : { within: ({ nodes: all }: View) => all.every(({ state }) => bounds.within!(state)) })
      }),
      { stopAtViolation: true, ...bounds.budget }
    )
  )
}

export const sameDeliveries = "who goes from a view to the next together has delivered the same in it"
export const inOrder = "of each sender the earlier first, in the view that it was sent in"
export const uniformly = "who goes on has delivered all that anybody has"
export const atRest = "all get through, with the same deliveries in the last view"

type View = System.View<State<number>, History>

const note = (history: History, node: string, event: Event<number>): History => {
  const before = history[node]!
  if (event._tag === "Viewed") return { ...history, [node]: [...before, [event.view.number, {}]] }
  if (event._tag !== "Delivered") return history
  const [view, counts] = before.at(-1)!
  const earlier = before.reduce((sum, [, each]) => sum + (each[event.from] ?? 0), 0)
  const isNext = event.view === view && event.payload > earlier
  const count = isNext ? (counts[event.from] ?? 0) + 1 : NaN
  const sorted = Object.entries({ ...counts, [event.from]: count }).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return { ...history, [node]: [...before.slice(0, -1), [view, Object.fromEntries(sorted)]] }
}

const broken = (history: History): boolean =>
  Object.values(history).some((views) => views.some(([, counts]) => Object.values(counts).some(Number.isNaN)))

const agree = (history: History): boolean => {
  const cuts = new Map<string, string>()
  for (const views of Object.values(history)) {
    for (let i = 0; i + 1 < views.length; i++) {
      const key = `${views[i]![0]} ${views[i + 1]![0]}`
      const cut = JSON.stringify(views[i]![1])
      if ((cuts.get(key) ?? cut) !== cut) return false
      cuts.set(key, cut)
    }
  }
  return true
}

/** Who went on from a view has delivered all of it that anybody has, also one who was left out. */
const noMoreThanSurvivors = (history: History): boolean => {
  const cuts = new Map<number, Readonly<Record<string, number>>>()
  for (const views of Object.values(history)) {
    views.slice(0, -1).forEach(([view, counts], i) => {
      // A node that was let in anew has not gone on, it has begun again.
      if (views[i + 1]![0] === view + 1) cuts.set(view, counts)
    })
  }
  return Object.values(history).every((views) =>
    views.every(([view, counts]) => {
      const cut = cuts.get(view)
      return cut === undefined || Object.entries(counts).every(([from, count]) => count <= (cut[from] ?? 0))
    })
  )
}

/** All that there is was seen, and nothing is broken. */
export const verdict = (report: Checker.Report): Readonly<Record<string, string>> => ({
  ...Object.fromEntries(report.properties.map(({ name, verdict }) => [name, verdict])),
  ...(report.complete ? {} : { complete: "no" })
})

export const sound = { [sameDeliveries]: "holds", [inOrder]: "holds", [atRest]: "holds" }
