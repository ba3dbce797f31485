/**
 * What replicas of the passive protocol say to each other, and write to their disks.
 */
import type { Codec } from "@troupe/transport"
import { Schema } from "effect"
import type * as Machine from "../../Machine.ts"

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** A request that was executed; of housekeeping, updates without a client. */
export interface Entry {
  /** The client: the rank of its node, and the node's life. Nobody: -1. */
  readonly client: number
  readonly life: number
  readonly counter: number
  /** The client has the responses to all below. */
  readonly floor: number
  readonly response: unknown
  readonly updates: ReadonlyArray<unknown>
}

/** Requests that were executed one after another in a view. A primary's first batch has none. */
export interface Batch {
  readonly view: number
  /** The time of day at the primary. */
  readonly now: number
  /** How many requests all batches before it have. */
  readonly before: number
  readonly entries: ReadonlyArray<Entry>
}

export interface Asked {
  readonly counter: number
  readonly request: unknown
}

export interface Answer {
  readonly counter: number
  readonly response: unknown
}

/** Of a client, as a snapshot tells of it. */
export interface Known {
  readonly life: number
  readonly floor: number
  readonly top: number
  readonly answers: ReadonlyArray<Answer>
}

/** A piece of a copy of the state after the batch at `at`, of view `atView`. */
export interface Piece {
  readonly at: number
  readonly atView: number
  /** Which piece, from 0. */
  readonly part: number
  readonly updates: ReadonlyArray<unknown>
  /** With the last piece: the rest of the state. */
  readonly end?: { readonly now: number; readonly requests: number; readonly clients: ReadonlyArray<Known> }
}

export type Message =
  /** From a front end to the primary of that view. `sending` counts those of the front end's life. */
  | {
      readonly _tag: "Requests"
      readonly view: number
      readonly life: number
      readonly sending: number
      readonly floor: number
      readonly asked: ReadonlyArray<Asked>
    }
  /** From the primary, of requests that are safe; `at` is where the last of them stands in the log. */
  | { readonly _tag: "Answers"; readonly life: number; readonly at: number; readonly answers: ReadonlyArray<Answer> }
  /** These were not executed, and will not be unless they are asked again. */
  | {
      readonly _tag: "Refused"
      readonly life: number
      readonly counters: ReadonlyArray<number>
      readonly reason: Refusal
    }
  /**
   * From the primary: "after the batch at `at`, of `atView`, comes this; all up to `commit` is safe". Without batches: "I am
   * there". Also to a primary that collects, from whom it fetches.
   */
  | {
      readonly _tag: "Prepare"
      readonly view: number
      readonly round: number
      readonly at: number
      readonly atView: number
      readonly commit: number
      /** The latest that it has. */
      readonly last: number
      readonly batches: ReadonlyArray<Batch>
    }
  /** "I have on disk what you have, up to `at`, and follow you as of that round." */
  | { readonly _tag: "Ack"; readonly view: number; readonly round: number; readonly at: number }
  /** "Give me what follows `from`", or that piece of the snapshot of `at`. */
  | {
      readonly _tag: "Fetch"
      readonly view: number
      readonly from: number
      readonly piece?: { readonly at: number; readonly part: number }
    }
  | { readonly _tag: "Snapshot"; readonly view: number; readonly piece: Piece }
  /** "I have not heard of the primary of this view." */
  | { readonly _tag: "Missing"; readonly view: number }
  /** To who is to be primary in `view`: "I take part in no earlier one; my log ends at `at`, of `atView`". */
  | { readonly _tag: "Vote"; readonly view: number; readonly at: number; readonly atView: number }
  /** "There is a later view." */
  | { readonly _tag: "Newer"; readonly view: number }
  /** From a primary that takes nothing more: "be the primary, in that view". */
  | { readonly _tag: "HandOver"; readonly view: number }

/** `no primary`: this node knows of none. `elsewhere`: who was asked is not the primary. `apart`: it has lost its majority. */
export const Refusal = Schema.Literals(["overloaded", "no primary", "elsewhere", "apart"])
export type Refusal = typeof Refusal.Type

export type Record =
  | { readonly _tag: "Life"; readonly life: number; readonly view: number }
  | { readonly _tag: "Append"; readonly at: number; readonly commit: number; readonly batches: ReadonlyArray<Batch> }
  | { readonly _tag: "Piece"; readonly piece: Piece }

export interface Schemas {
  readonly message: Codec.MessageSchema<Message>
  readonly record: Codec.MessageSchema<Record>
  /** Of a batch. */
  readonly entries: Codec.MessageSchema<ReadonlyArray<Entry>>
  /** Of a piece. */
  readonly updates: Codec.MessageSchema<ReadonlyArray<unknown>>
  /** Of the last piece. */
  readonly end: Codec.MessageSchema<NonNullable<Piece["end"]>>
}

export const schemas = ({ request, response, update }: Machine.Any): Schemas => {
  const Answers = Schema.Array(Schema.Struct({ counter: Natural, response }))
  const entries = Schema.Array(
    Schema.Struct({
      client: Schema.Int,
      life: Natural,
      counter: Natural,
      floor: Natural,
      response: Schema.UndefinedOr(response),
      updates: Schema.Array(update)
    })
  )
  const Batches = Schema.Array(Schema.Struct({ view: Natural, now: Schema.Finite, before: Natural, entries }))
  const updates = Schema.Array(update)
  const end = Schema.Struct({
    now: Schema.Finite,
    requests: Natural,
    clients: Schema.Array(Schema.Struct({ life: Natural, floor: Natural, top: Natural, answers: Answers }))
  })
  const Piece = Schema.Struct({ at: Natural, atView: Natural, part: Natural, updates, end: Schema.optionalKey(end) })
  const view = Natural
  const at = Natural
  const message = Schema.Union([
    Schema.TaggedStruct("Requests", {
      view,
      life: Natural,
      sending: Natural,
      floor: Natural,
      asked: Schema.Array(Schema.Struct({ counter: Natural, request }))
    }),
    Schema.TaggedStruct("Answers", { life: Natural, at, answers: Answers }),
    Schema.TaggedStruct("Refused", { life: Natural, counters: Schema.Array(Natural), reason: Refusal }),
    Schema.TaggedStruct("Prepare", {
      view,
      round: Natural,
      at,
      atView: Natural,
      commit: Natural,
      last: Natural,
      batches: Batches
    }),
    Schema.TaggedStruct("Ack", { view, round: Natural, at }),
    Schema.TaggedStruct("Fetch", {
      view,
      from: Natural,
      piece: Schema.optionalKey(Schema.Struct({ at, part: Natural }))
    }),
    Schema.TaggedStruct("Snapshot", { view, piece: Piece }),
    Schema.TaggedStruct("Missing", { view }),
    Schema.TaggedStruct("Vote", { view, at, atView: Natural }),
    Schema.TaggedStruct("Newer", { view }),
    Schema.TaggedStruct("HandOver", { view })
  ])
  const record = Schema.Union([
    Schema.TaggedStruct("Life", { life: Natural, view }),
    Schema.TaggedStruct("Append", { at, commit: Natural, batches: Batches }),
    Schema.TaggedStruct("Piece", { piece: Piece })
  ])
  return { message, record, entries, updates, end }
}
