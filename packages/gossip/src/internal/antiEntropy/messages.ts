/** What replicas that compare their stores say to each other. Lists of words are packed: they are most of what travels. */
import { Schema } from "effect"

const Count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 48 }))
const Word = Schema.Int.check(Schema.isBetween({ minimum: -(2 ** 31), maximum: 2 ** 31 - 1 }))
/** Tells one comparison of a node from its others. */
const Session = Count

/** The longest key, in UTF-16 code units. */
export const keyLengthMax = 1_024

export const Key = Schema.String.check(Schema.isMaxLength(keyLengthMax))

/**
 * "Let us compare: this is the root of my tree, this my estimate, and I can decode so many cells." The root has the sums of all
 * fingerprints, `hi` and `lo`, and their count.
 */
const Hello = Schema.TaggedStruct("Hello", {
  session: Session,
  layout: Schema.String.check(Schema.isMaxLength(200)),
  count: Count,
  hi: Word,
  lo: Word,
  cells: Count,
  estimate: Schema.Uint8Array
})
export type Hello = typeof Hello.Type

/** "My tree has the same root." */
const Same = Schema.TaggedStruct("Same", { session: Session })

/** "My tree has another layout, this one: I can't compare." */
const Other = Schema.TaggedStruct("Other", { session: Session, layout: Schema.String.check(Schema.isMaxLength(200)) })

/**
 * "These are cells `from` to before `to` of my sketch, out of those to before `upTo` that I send." Cells belong together if
 * `version`, which is the hash of the tree's root, and the number of items are the same.
 */
const Cells = Schema.TaggedStruct("Cells", {
  session: Session,
  version: Word,
  items: Count,
  from: Count,
  to: Count,
  upTo: Count,
  cells: Schema.Uint8Array
})
export type Cells = typeof Cells.Type

/** "I lack your cells from `from` to before `to`." */
const More = Schema.TaggedStruct("More", { session: Session, from: Count, to: Count })
export type More = typeof More.Type

/** "The children of these nodes, on this level of my tree, have these hashes." For each node its index, and the hashes. */
const Nodes = Schema.TaggedStruct("Nodes", {
  level: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 24 })),
  nodes: Schema.Uint8Array
})
export type Nodes = typeof Nodes.Type

/** "In these ranges of positions I have these entries, and no others": for each range its ends, a count, and fingerprints. */
const List = Schema.TaggedStruct("List", { ranges: Schema.Uint8Array })

/** "I lack the entries of these fingerprints." */
const Want = Schema.TaggedStruct("Want", { items: Schema.Uint8Array })

/** An entry as the store has it: its version, if it travels, is in the value. */
export const StoredEntry = Schema.Struct({ key: Key, value: Schema.Uint8Array })
export type StoredEntry = typeof StoredEntry.Type

/** No message has more entries. */
export const entriesMax = 4_096

/** "You lack these." */
const Entries = Schema.TaggedStruct("Entries", {
  entries: Schema.Array(StoredEntry).check(Schema.isMaxLength(entriesMax))
})
export type Entries = typeof Entries.Type

export const Message = Schema.Union([Hello, Same, Other, Cells, More, Nodes, List, Want, Entries])
export type Message = typeof Message.Type

/** A bound of the bytes of a message without what it lists. */
export const overhead = 64
