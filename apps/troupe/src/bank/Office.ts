/**
 * What tellers and the bank say to each other.
 */
import { LamportTimestamp } from "@troupe/clocks"
import { Channel, NodeId } from "@troupe/transport"
import { Schema } from "effect"
import { Transfer } from "./Transfer.ts"

/** The node that keeps the ledger and hands out the transfers. It stands for a database and its clients. */
export const bankNode = "bank"

export const Message = Schema.Union([
  /** Bank to teller: please carry out this transfer. */
  Schema.TaggedStruct("Submit", { transfer: Transfer }),
  /** Bank to teller: lead no longer; and stand for election again. */
  Schema.TaggedStruct("Resign", {}),
  Schema.TaggedStruct("Campaign", {}),
  /** Teller to bank: it is carried out. Times are those of the monotonic clock that all nodes of a machine share. */
  Schema.TaggedStruct("Done", {
    id: Schema.String,
    token: Schema.Int,
    enteredNanos: Schema.Int,
    leftNanos: Schema.Int
  }),
  /** Teller to ledger, from inside the critical section. */
  Schema.TaggedStruct("Apply", { token: Schema.Int, transfer: Transfer, sent: LamportTimestamp.LamportTimestamp }),
  /** Ledger to teller. */
  Schema.TaggedStruct("Answer", {
    token: Schema.Int,
    outcome: Schema.Literals(["applied", "declined", "repeated", "refused"]),
    sent: LamportTimestamp.LamportTimestamp
  }),
  /** Teller to bank: this is the leader that I know, and the view that I am in. */
  Schema.TaggedStruct("Status", {
    leader: Schema.NullOr(Schema.Struct({ id: NodeId.NodeId, epoch: Schema.Int })),
    view: Schema.Int,
    members: Schema.Array(NodeId.NodeId)
  }),
  /** Leader to ledger: what is the balance? The epoch fences a leader that was deposed. */
  Schema.TaggedStruct("Balance", { epoch: Schema.Int })
])
export type Message = typeof Message.Type

export const channel = Channel.make("bank/office", Message)
