/** What a detector knows of each node that it watches: a row for each, found by name. */
import type { NodeId } from "@troupe/transport"
import type { Opinion } from "../FailureDetector.ts"
import type { Reading } from "./service.ts"
import * as Vector from "./vector.ts"

export interface Table<out Row> {
  /** Whom it watches. */
  readonly nodes: ReadonlyArray<NodeId.NodeId>
  /** Where the row of a node is. */
  readonly places: Readonly<Record<NodeId.NodeId, number>>
  readonly rows: Vector.Vector<Row>
}

export const make = <Row>(nodes: ReadonlyArray<NodeId.NodeId>, row: Row): Table<Row> => ({
  nodes,
  places: Object.fromEntries(nodes.map((node, place) => [node, place])),
  rows: Vector.make(nodes.length, row)
})

/** None of a node that isn't watched, whatever its name. */
export const find = <Row>({ places, rows }: Table<Row>, node: NodeId.NodeId): Row | undefined =>
  Object.hasOwn(places, node) ? Vector.get(rows, places[node]!) : undefined

/** Of a node that is watched. */
export const set = <Row>({ nodes, places, rows }: Table<Row>, node: NodeId.NodeId, row: Row): Table<Row> => ({
  nodes,
  places,
  rows: Vector.set(rows, places[node]!, row)
})

export const map = <Row>(table: Table<Row>, change: (row: Row, node: NodeId.NodeId) => Row): Table<Row> => {
  const rows = Vector.map(table.rows, (row, place) => change(row, table.nodes[place]!))
  return rows === table.rows ? table : { nodes: table.nodes, places: table.places, rows }
}

/** A row that says whether its node is suspected. */
interface Judged {
  readonly suspected: boolean
}

export const statusOf = (table: Table<Judged>, node: NodeId.NodeId): "up" | "suspected" | undefined => {
  const row = find(table, node)
  return row === undefined ? undefined : row.suspected ? "suspected" : "up"
}

export const up = (node: NodeId.NodeId): Opinion => ({ node, status: "up", level: 0 })

export const suspected = (node: NodeId.NodeId, level = 1): Opinion => ({ node, status: "suspected", level })

/** How a detector with such rows is read; `level` says how strong a suspicion is, where there are degrees. */
export const reading = <State, Row extends Judged>(
  tableOf: (state: State) => Table<Row>,
  level: (row: Row, monotonicMillis: number, state: State) => number = ({ suspected }) => (suspected ? 1 : 0)
): Reading<State> => ({
  watched: (state) => tableOf(state).nodes,
  opinion: (state, node, monotonicMillis) => {
    const row = find(tableOf(state), node)
    return row === undefined
      ? undefined
      : { node, status: row.suspected ? "suspected" : "up", level: level(row, monotonicMillis, state) }
  }
})
