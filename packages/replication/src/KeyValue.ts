/**
 * Keys and values, as a machine to replicate: each value has the version of the update that it comes from.
 *
 * Versions are numbers from 1. A copy gives an update one more than the highest that it has seen, of any key: so versions
 * of a key only grow, over its deletion and re-creation too, and grow along causality (L. Lamport, "Time, Clocks, and the
 * Ordering of Events in a Distributed System", CACM 21(7), 1978). Where each key is replicated apart, each counts for itself,
 * and its count stays when it is deleted.
 *
 * An update that is older than what its key holds changes nothing, and of two with one version the larger value stays:
 * copies that hear of updates in different orders, as naive replicas do, come to hold the same. There, and only there, a
 * deletion that is heard before an older update is undone by it: deleted keys are forgotten.
 *
 * @example
 * import { KeyValue } from "@troupe/replication"
 *
 * const { apply, execute, init } = KeyValue.machine
 * const at = { now: 0, random: () => 0 }
 * const put = execute(init, { _tag: "Put", key: "a", value: new Uint8Array([7]) }, at)
 * console.log(put.response) // { _tag: 'Written', version: 1 }
 * const state = put.updates.reduce(apply, init)
 * console.log(execute(state, { _tag: "Get", key: "a" }, at).response) // { _tag: 'Found', value: Uint8Array(1) [ 7 ], version: 1 }
 */
import { Schema } from "effect"
import type * as Machine from "./Machine.ts"
import * as Replicated from "./Replicated.ts"
import * as Trie from "./Trie.ts"

const Version = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

export const Request = Schema.Union([
  Schema.TaggedStruct("Get", { key: Schema.String }),
  Schema.TaggedStruct("Put", { key: Schema.String, value: Schema.Uint8Array }),
  Schema.TaggedStruct("Delete", { key: Schema.String }),
  /** A `Put`, if the key has that version; 0: if it is not there. */
  Schema.TaggedStruct("CompareAndSet", { key: Schema.String, expected: Version, value: Schema.Uint8Array })
])
export type Request = typeof Request.Type

export const Response = Schema.Union([
  Schema.TaggedStruct("Found", { value: Schema.Uint8Array, version: Version }),
  /** There was nothing to get or to delete. */
  Schema.TaggedStruct("Absent", {}),
  /** By that version: of a deletion, its own. */
  Schema.TaggedStruct("Written", { version: Version }),
  /** Not written: that is the version. */
  Schema.TaggedStruct("Conflict", { version: Version })
])
export type Response = typeof Response.Type

export const Update = Schema.Union([
  Schema.TaggedStruct("Put", { key: Schema.String, value: Schema.Uint8Array, version: Version }),
  Schema.TaggedStruct("Delete", { key: Schema.String, version: Version }),
  /** Of a dump: versions go on from here. */
  Schema.TaggedStruct("Resume", { version: Version })
])
export type Update = typeof Update.Type

/** Never changed, its bytes neither. */
export interface Entry {
  readonly key: string
  readonly value: Uint8Array
  readonly version: number
}

export interface State {
  readonly entries: Trie.Trie<Entry>
  /** The highest version that was given or seen. */
  readonly latest: number
}

export const init: State = { entries: Trie.empty, latest: 0 }

// ------------------------------------------------------------------------------------------------------ what may be asked

/** In characters. */
export const longestKey = 1024

/** In bytes. */
export const largestValue = 1024 * 1024

/** A request is out of its bounds. */
export class InvalidRequest extends Schema.TaggedError<InvalidRequest>()("InvalidRequest", {
  request: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.request} is not asked: ${this.reason}. Nothing was changed.`
  }
}

/** Why a request is out of its bounds, if it is. */
export const invalid = (request: Request): InvalidRequest | undefined => {
  const { key } = request
  const refuse = (reason: string): InvalidRequest => new InvalidRequest({ request: request._tag, reason })
  if (key === "") return refuse("the key is empty; a key has 1 character or more")
  if (key.length > longestKey) return refuse(`the key has ${key.length} characters, and may have ${longestKey}`)
  if ("value" in request && request.value.length > largestValue) {
    return refuse(`the value has ${request.value.length} bytes, and may have ${largestValue}: put it in parts`)
  }
  if ("expected" in request && !(Number.isSafeInteger(request.expected) && request.expected >= 0)) {
    return refuse(`${request.expected} is no version: it is a whole number, 0 where the key is not to be there`)
  }
  return undefined
}

// ------------------------------------------------------------------------------------------------------------- the machine

const execute = ({ entries, latest }: State, request: Request): Machine.Execution<Update, Response> => {
  const { key } = request
  const entry = Trie.get(entries, key)
  const version = latest + 1
  switch (request._tag) {
    case "Get":
      if (entry === undefined) return unchanged({ _tag: "Absent" })
      return unchanged({ _tag: "Found", value: entry.value, version: entry.version })
    case "Put":
      return written({ _tag: "Put", key, value: request.value, version })
    case "Delete":
      return entry === undefined ? unchanged({ _tag: "Absent" }) : written({ _tag: "Delete", key, version })
    case "CompareAndSet": {
      const found = entry?.version ?? 0
      if (found !== request.expected) return unchanged({ _tag: "Conflict", version: found })
      return written({ _tag: "Put", key, value: request.value, version })
    }
  }
}

const unchanged = (response: Response): Machine.Execution<Update, Response> => ({ response, updates: [] })

const written = (update: Update): Machine.Execution<Update, Response> => ({
  response: { _tag: "Written", version: update.version },
  updates: [update]
})

const apply = (state: State, update: Update): State => {
  const latest = Math.max(state.latest, update.version)
  if (update._tag === "Resume") return { entries: state.entries, latest }
  const { key, version } = update
  const entry = Trie.get(state.entries, key)
  if (update._tag === "Delete") {
    const goes = entry !== undefined && entry.version < version
    return { entries: goes ? Trie.remove(state.entries, key) : state.entries, latest }
  }
  if (entry !== undefined && !isLater(update, entry)) return { entries: state.entries, latest }
  return { entries: Trie.set(state.entries, { key, value: update.value, version }), latest }
}

const isLater = (one: Omit<Entry, "key">, other: Entry): boolean =>
  one.version !== other.version ? one.version > other.version : compare(one.value, other.value) > 0

/** By the first byte that differs, or by length. */
const compare = (one: Uint8Array, other: Uint8Array): number => {
  for (let i = 0; i < one.length && i < other.length; i++) if (one[i] !== other[i]) return one[i]! - other[i]!
  return one.length - other.length
}

function* dump({ entries, latest }: State): Generator<Update> {
  for (const { key, value, version } of Trie.from(entries)) yield { _tag: "Put", key, value, version }
  if (latest > 0) yield { _tag: "Resume", version: latest }
}

export const machine: Machine.Machine<State, Request, Update, Response> = {
  name: "key-value",
  init,
  request: Request,
  update: Update,
  response: Response,
  isRead: ({ _tag }) => _tag === "Get",
  execute,
  apply,
  dump,
  sizeOf: (updates) => updates.reduce((sum, update) => sum + 64 + ("value" in update ? update.value.length : 0), 0),
  keyed: {
    split: (request) => [{ key: request.key, request }],
    join: (_request, responses) => responses[0]!
  }
}

/** The machine as a service, which each way of replicating is a layer for: `Passive.layer(KeyValue.KeyValue)`. */
export class KeyValue extends Replicated.Service<KeyValue>()("@troupe/replication/KeyValue", machine) {}
