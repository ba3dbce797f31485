/** Every interleaving of an election round a ring, as its tests ask for it. */
import { Checker, System } from "@troupe/model-checker"
import { Effect } from "effect"
import { type Command, nodesOf, type RingElection, type State } from "./rings.ts"

export interface Checked {
  readonly nodes: number
  /** The order of the nodes. Default: that of their names. */
  readonly ring?: ReadonlyArray<string>
  readonly network?: System.Network
  /** A node that may crash once, and come back when it may restart. */
  readonly crash?: { readonly node: string; readonly restart?: boolean }
  /** Who may suspect the node that crashes, at any time: rightly or not. */
  readonly suspect?: ReadonlyArray<string>
  /** Whether they may trust it again. */
  readonly trust?: boolean
  /** Who may resign once, at any time, and then stand again. */
  readonly resign?: ReadonlyArray<string>
  /** Who may begin anew once, at any time while an election is under way. */
  readonly retry?: ReadonlyArray<string>
  readonly options?: Checker.Options
  /** In place of the election's own. */
  readonly protocol?: RingElection["protocol"]
}

/** What its user has done: how often it changed its mind about standing, and about the node that crashes; and began anew. */
interface Memo {
  readonly stand: number
  readonly suspect: number
  readonly retry: number
}

const user = ({
  crash,
  resign = [],
  retry = [],
  suspect = [],
  trust = false
}: Checked): System.User<State, Command, Memo> => ({
  memo: { stand: 0, suspect: 0, retry: 0 },
  moves: ({ memo, node }) => {
    const moves: Array<System.Move<Command, Memo>> = []
    if (resign.includes(node) && memo.stand < 2) {
      const command = { _tag: memo.stand === 0 ? "Resign" : "Campaign" } as const
      moves.push({ _tag: "Command", command, memo: { ...memo, stand: memo.stand + 1 } })
    }
    if (suspect.includes(node) && memo.suspect < (trust ? 2 : 1)) {
      const command = { _tag: memo.suspect === 0 ? "Suspect" : "Trust", node: crash!.node } as const
      moves.push({ _tag: "Command", command, memo: { ...memo, suspect: memo.suspect + 1 } })
    }
    if (retry.includes(node) && memo.retry < 1)
      moves.push({ _tag: "Command", command: { _tag: "Retry" }, memo: { ...memo, retry: 1 } })
    return moves
  }
})

/** What a property needs to know of the past. */
interface Past {
  /** The epoch that each node followed last in this life, and whether one has fallen. */
  readonly epochs: { readonly [node: string]: number }
  readonly fell: boolean
  /** Who suspects the node that crashes, and whether it came back before all of the others did. */
  readonly suspicious: ReadonlyArray<string>
  readonly unnoticed: boolean
}

const past = (nodes: number): System.Record<Past> => ({
  init: { epochs: {}, fell: false, suspicious: [], unnoticed: false },
  about: ({ _tag }) => _tag !== "Sent" && _tag !== "Delivered",
  note: (noted, occurrence) => {
    const { node } = occurrence as { readonly node: string }
    switch (occurrence._tag) {
      case "Crashed":
        return { ...noted, epochs: { ...noted.epochs, [node]: 0 } }
      case "Restarted":
        return { ...noted, unnoticed: noted.unnoticed || noted.suspicious.length < nodes - 1 }
      case "Commanded": {
        const others = noted.suspicious.filter((other) => other !== node)
        if (occurrence.command._tag === "Suspect") return { ...noted, suspicious: [...others, node].sort() }
        return occurrence.command._tag === "Trust" ? { ...noted, suspicious: others } : noted
      }
      case "Emitted": {
        const { leader } = occurrence.event
        if (leader === undefined) return noted
        const fell = noted.fell || leader.epoch <= (noted.epochs[node] ?? 0)
        return { ...noted, fell, epochs: { ...noted.epochs, [node]: leader.epoch } }
      }
      default:
        return noted
    }
  }
})

/** Who suspects exactly those who are down. */
const accurate = (nodes: System.View<State>["nodes"]): boolean => {
  const down = nodes.flatMap(({ alive, node }) => (alive ? [] : [node]))
  return nodes.every(
    ({ alive, state: { suspected } }) =>
      !alive || (suspected.length === down.length && down.every((node) => suspected.includes(node)))
  )
}

/** The card's guarantees, but that the highest need lead only where the failure detectors are right; and growing epochs. */
const properties = ({ card }: RingElection, suspicious: boolean) => [
  ...System.guarantees<State>(card).map((property) =>
    suspicious && property.name === "the highest leads"
      ? {
          ...property,
          holds: (view: System.View<State, Past>) =>
            view.history.unnoticed || !accurate(view.nodes) || property.holds(view)
        }
      : property
  ),
  { name: "epochs grow", kind: "always" as const, holds: ({ history }: System.View<State, Past>) => !history.fell }
]

export const check = (election: RingElection, checked: Checked): Promise<Checker.Report> => {
  const { crash, network = { order: "fifo" }, nodes, options, protocol = election.protocol, ring } = checked
  return Effect.runPromise(
    Checker.check(
      System.make({
        name: election.name,
        members: System.members(protocol, nodesOf(nodes), ring === undefined ? {} : { ring }),
        user: user(checked),
        network,
        ...(crash === undefined ? {} : { crashes: { max: 1, nodes: [crash.node], restart: crash.restart ?? false } }),
        record: past(nodes),
        properties: properties(election, checked.suspect !== undefined)
      }),
      options
    )
  )
}

export const verdicts = ({ properties }: Checker.Report): Readonly<Record<string, string>> =>
  Object.fromEntries(properties.map(({ name, verdict }) => [name, verdict]))
