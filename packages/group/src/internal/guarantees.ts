/** What holds of the states of a kernel's nodes, whatever the order: for cards. */
import type { Card } from "@troupe/actor"
import { received, type State } from "./state.ts"

type Guarantee = Card.Guarantee<State<any, any>>
type Snapshot = Card.Snapshot<State<any, any>>

const taking = (nodes: Snapshot): Snapshot => nodes.filter(({ alive, state }) => alive && state.failed === undefined)

/** Each two nodes that are in one view. */
export const together = (nodes: Snapshot, holds: (a: State<any, any>, b: State<any, any>) => boolean): boolean => {
  const all = taking(nodes)
  return all.every(({ state: a }, i) =>
    all.every(({ state: b }, j) => {
      const areTogether = i !== j && a.view !== undefined && a.view.number === b.view?.number
      return !areTogether || holds(a, b)
    })
  )
}

export const oneList: Guarantee = {
  name: "one list of members a view",
  kind: "always",
  description: "Who is in one view agrees on its members.",
  holds: (nodes) => together(nodes, (a, b) => a.view!.members.every((node, rank) => node === b.view!.members[rank]))
}

export const nothingForgotten: Guarantee = {
  name: "nothing is forgotten that a member lacks",
  kind: "always",
  description: "What one member takes for stable, all members of its view have received.",
  holds: (nodes) =>
    together(nodes, (a, b) => a.streams.every(({ stable }, rank) => stable <= received(b.streams[rank]!)))
}

export const sameCut: Guarantee = {
  name: "a view ends alike",
  kind: "always",
  description: "Who went from one view to the next together has received, and so delivered, the same in it.",
  holds: (nodes) =>
    together(nodes, ({ ended: a }, { ended: b }) => {
      if (a === undefined || b === undefined || a.view !== b.view) return true
      return a.received.every((count, rank) => count === b.received[rank])
    })
}

export const allDelivered: Guarantee = {
  name: "everybody gets everything",
  kind: "eventually",
  description: "All nodes are in one view, have received and delivered the same, and keep none of it.",
  holds: (nodes) => {
    const all = nodes.filter(({ alive }) => alive)
    const isAtRest = ({ flush, joining, streams }: State<any, any>): boolean =>
      flush === undefined &&
      joining === undefined &&
      streams.every((stream) => stream.delivered === received(stream) && stream.stable === received(stream))
    return (
      all.every(({ state }) => state.view?.number === all[0]!.state.view?.number && isAtRest(state)) &&
      together(nodes, (a, b) => a.streams.every((stream, rank) => received(stream) === received(b.streams[rank]!)))
    )
  }
}

export const someDelivered: Guarantee = {
  name: "a message is delivered",
  kind: "sometimes",
  description: "The run has seen a delivery of another's message.",
  holds: (nodes) =>
    nodes.some(({ state }) => state.streams.some(({ delivered }, rank) => rank !== state.rank && delivered > 0))
}

/** Among fixed nodes, of every order. */
export const stranger: Card.Weakness = {
  name: "a node that comes back is a stranger",
  description:
    "Among fixed nodes, members know its earlier life, refuse its messages, and have forgotten what it would have to be given.",
  faults: "crash",
  breaks: nothingForgotten.name
}
