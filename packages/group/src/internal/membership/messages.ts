/** What nodes of the coordinated membership say to each other. */
import { NodeId } from "@troupe/transport"
import { Schema } from "effect"

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** The name of a group: 1 to 255 characters, none of them a control character or a space. */
export const GroupName = NodeId.NodeId

/** A node in one of its lives: what it knew before it crashed is gone, and so is what it accepted. */
export const Member = Schema.Struct({ node: NodeId.NodeId, life: Natural })
export type Member = typeof Member.Type

/** A view as it is agreed on. One without members is a group that is gone; number 0, one that never was. */
export const Agreed = Schema.Struct({
  number: Natural,
  /** In the order of their nodes. */
  members: Schema.Array(Member),
  joined: Schema.Array(NodeId.NodeId)
})
export type Agreed = typeof Agreed.Type

/** Of a coordinator: higher ones go before lower ones, and no two coordinators have the same. */
export const Ballot = Schema.Struct({ number: Natural, node: NodeId.NodeId, life: Natural })
export type Ballot = typeof Ballot.Type

/** What a node asks for, until it is told. */
export const Want = Schema.Struct({
  group: GroupName,
  mode: Schema.Literals(["create", "join", "enter", "destroy", "look"])
})
export type Want = typeof Want.Type

export const Refusal = Schema.Literals(["exists", "unknown", "too many"])
export type Refusal = typeof Refusal.Type

export const Message = Schema.Union([
  /** To the coordinator: "this is what I want, and the latest view that I am in". Reports overtake each other. */
  Schema.TaggedStruct("Report", {
    life: Natural,
    sequence: Natural,
    wants: Schema.Array(Want),
    views: Schema.Array(Schema.Struct({ group: GroupName, number: Natural, partial: Schema.Boolean }))
  }),
  /** "I coordinate: heed no lower ballot, and tell me what you have accepted." */
  Schema.TaggedStruct("Prepare", { ballot: Ballot }),
  /** "I will; this is the latest view that I know of each group, and what I accepted to follow it." */
  Schema.TaggedStruct("Promise", {
    ballot: Ballot,
    life: Natural,
    groups: Schema.Array(
      Schema.Struct({
        group: GroupName,
        view: Agreed,
        accepted: Schema.optionalKey(Schema.Struct({ ballot: Ballot, view: Agreed }))
      })
    )
  }),
  /** "I have promised a higher ballot, this one." */
  Schema.TaggedStruct("Nack", { ballot: Ballot }),
  /** "`view` is to follow `base`, which is agreed." */
  Schema.TaggedStruct("Accept", { ballot: Ballot, group: GroupName, base: Agreed, view: Agreed }),
  /** "As for me, yes." */
  Schema.TaggedStruct("Accepted", { ballot: Ballot, group: GroupName, number: Natural, life: Natural }),
  /** "These views, one after the other, are agreed." `forgotten`: what is missing before them, nobody can tell any more. */
  Schema.TaggedStruct("Commit", { group: GroupName, views: Schema.Array(Agreed), forgotten: Schema.Boolean }),
  /** "More than these of view `of` don't answer": a partial view. */
  Schema.TaggedStruct("Partial", { ballot: Ballot, group: GroupName, of: Natural, members: Schema.Array(Member) }),
  /** To who asks for something that there is not, or is. */
  Schema.TaggedStruct("Refused", { group: GroupName, mode: Want.fields.mode, refusal: Refusal }),
  /** To who asked whom a group consists of. */
  Schema.TaggedStruct("Known", { group: GroupName, view: Agreed })
])
export type Message = typeof Message.Type
export type Tagged<Tag extends Message["_tag"]> = Extract<Message, { readonly _tag: Tag }>
