/** What holds of all replica managers together. */
import type { Card } from "@troupe/actor"
import type { Application } from "./application.ts"
import type { LogRecord, UpdateRecord } from "./messages.ts"
import { executedOf } from "./records.ts"
import type { Replica, State } from "./state.ts"
import { covers } from "./timestamps.ts"

const replicas = (nodes: Card.Snapshot<State>): ReadonlyArray<Replica> =>
  nodes.flatMap(({ state: { replica } }) => (replica === undefined ? [] : [replica]))

const alive = (nodes: Card.Snapshot<State>): ReadonlyArray<Replica> => replicas(nodes.filter(({ alive }) => alive))

const updatesOf = ({ log }: Replica): ReadonlyArray<UpdateRecord> =>
  log.flatMap((records) => records.filter((record): record is UpdateRecord => record._tag === "Update"))

const agreedOf = ({ log }: Replica): ReadonlyArray<LogRecord> => log[log.length - 1]!

const causalOrder: Card.Guarantee<State> = {
  name: "causal order",
  kind: "always",
  description: "A value includes an update only with all that its client had seen, and nothing that has not come.",
  holds: (nodes) =>
    replicas(nodes).every((replica) => {
      const { clients, timestamp, valueTimestamp } = replica
      if (!covers(timestamp, valueTimestamp)) return false
      return updatesOf(replica).every(({ client, prev, sequence }) => {
        const executed = executedOf(clients.get(client), sequence)
        // One that came by two ways may have been executed by the other.
        if (executed === undefined || executed.inLog > 1) return executed !== undefined
        return executed.isExecuted === covers(valueTimestamp, prev)
      })
    })
}

const agreedOrder: Card.Guarantee<State> = {
  name: "one order of forced and immediate updates",
  kind: "always",
  description: "No two replica managers have different updates in one place of the agreed order.",
  holds: (nodes) => {
    const places = new Map<number, string>()
    for (const record of replicas(nodes).flatMap(agreedOf)) {
      const name = record._tag === "Update" ? `${record.client} ${record.sequence}` : record._tag
      const other = places.get(record.number)
      if (other !== undefined && other !== name) return false
      places.set(record.number, name)
    }
    return true
  }
}

const immediateOrder: Card.Guarantee<State> = {
  name: "immediate updates are in one place among all",
  kind: "always",
  description: "An update that does not depend on an immediate one comes before it at every replica manager.",
  holds: (nodes) => {
    const all = replicas(nodes)
    const immediate = new Map<number, UpdateRecord>()
    for (const record of all.flatMap(updatesOf)) if (record.order === "immediate") immediate.set(record.number, record)
    if (immediate.size === 0) return true
    return all.every(({ log }) =>
      log
        .slice(0, -1)
        .every((records, part) =>
          records.every(
            (record) =>
              record._tag !== "Update" ||
              [...immediate.values()].every(
                ({ number, part: agreed, prev }) => record.prev[agreed]! >= number || record.number <= prev[part]!
              )
          )
        )
    )
  }
}

const convergence = ({ equals }: Application<any, any, any, any>): Card.Guarantee<State> => ({
  name: "convergence",
  kind: "eventually",
  description: "All replica managers have all updates, and the same value.",
  holds: (nodes) => {
    const [first, ...others] = alive(nodes)
    if (first === undefined) return true
    const isSettled = covers(first.valueTimestamp, first.timestamp)
    return (
      isSettled &&
      others.every(
        ({ timestamp, value, valueTimestamp }) =>
          covers(timestamp, first.timestamp) &&
          covers(first.timestamp, timestamp) &&
          covers(valueTimestamp, timestamp) &&
          (equals?.(first.value, value) ?? true)
      )
    )
  }
})

const pruned: Card.Guarantee<State> = {
  name: "logs are emptied",
  kind: "eventually",
  description: "When all have everything, no replica manager keeps a record, and no query or update waits.",
  holds: (nodes) =>
    alive(nodes).every(
      ({ agreement, log, queries, waiting }) =>
        log.every((records) => records.length === 0) &&
        waiting.length + queries.length + agreement.deferred.length === 0
    )
}

const progress: Card.Guarantee<State> = {
  name: "an update comes to another",
  kind: "sometimes",
  description: "The run has seen a replica manager execute an update that a client gave to another.",
  holds: (nodes) =>
    replicas(nodes).some(({ part, valueTimestamp }) => valueTimestamp.some((count, at) => at !== part && count > 0))
}

export const guarantees = (application: Application<any, any, any, any>): ReadonlyArray<Card.Guarantee<State>> => [
  causalOrder,
  agreedOrder,
  immediateOrder,
  convergence(application),
  pruned,
  progress
]
