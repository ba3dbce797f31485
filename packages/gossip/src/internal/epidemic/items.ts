/** What travels: items, their names, and how many bytes that takes. */
import { NodeId } from "@troupe/transport"
import { Schema } from "effect"
import * as Intervals from "./intervals.ts"

/** No number of an item is higher. Only a forger comes to it. */
export const sequenceMax = 2 ** 40

/** How many gaps of a source a node remembers, each a pair of numbers. The oldest is given up when there are more. */
export const gapsMax = 64

const Natural = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: sequenceMax }))
const Sequence = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: sequenceMax }))

/**
 * Who published: a node, in one of its lives. A node that has crashed and comes back has forgotten how far it was, and
 * draws a new life, so that no name is given twice.
 */
const source = { origin: NodeId.NodeId, life: Natural }

/** The name of an item: `sequence` counts the items of its source, from 1. */
export const ItemId = Schema.Struct({ ...source, sequence: Sequence })
export type ItemId = typeof ItemId.Type

export const Item = Schema.Struct({
  ...source,
  sequence: Sequence,
  topic: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(255)),
  payload: Schema.Uint8Array
})
export type Item = typeof Item.Type

/** What a node knows of a source. */
export const Known = Schema.Struct({
  ...source,
  /** Whose items it has heard, as intervals. */
  heard: Schema.Array(Natural).check(Schema.isMaxLength(2 * gapsMax + 2)),
  /** The first that it can still hand on; 0: none. */
  holds: Natural
})
export type Known = typeof Known.Type

/** Sources as lists have them: an order of text, in which no two are the same. */
export const keyOf = ({ life, origin }: Source): string => `${origin} ${life}`

export interface Source {
  readonly origin: string
  readonly life: number
}

/** Below 0 where `a` comes first: the order of their keys, found without making them. No name has a space or less in it. */
export const order = (a: Source, b: Source): number =>
  a.origin !== b.origin ? (a.origin < b.origin ? -1 : 1) : a.life === b.life ? 0 : `${a.life}` < `${b.life}` ? -1 : 1

/** A bound of the bytes of a message without what it lists. */
export const overhead = 64

/** A bound of the bytes that an item adds to a message. */
export const itemBytes = ({ origin, payload, topic }: Item): number =>
  32 + utf8Bytes(origin) + utf8Bytes(topic) + payload.length

/** And what is known of a source. */
export const knownBytes = ({ heard, origin }: Known): number => 24 + utf8Bytes(origin) + 7 * heard.length

/** And the key of a source. */
export const keyBytes = ({ origin }: Source): number => 12 + utf8Bytes(origin)

/** And the name of an item. */
export const idBytes = ({ origin }: ItemId): number => 24 + utf8Bytes(origin)

export const utf8Bytes = (text: string): number => {
  let bytes = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : 3
  }
  return bytes
}

/** Whether this is a set that a node may have of a source. */
export const isKnown = ({ heard, holds }: Known): boolean => Intervals.isValid(heard) && holds <= Intervals.last(heard)
