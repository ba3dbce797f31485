/**
 * Who is in the group now. The driver hands each new view to the protocols of its node.
 *
 * Without this service the group is every node that the transport knows, for good.
 */
import { Context, type Stream } from "effect"
import type { View } from "./Protocol.ts"

export class Membership extends Context.Service<
  Membership,
  {
    /** The current view first, then each later one. */
    readonly views: Stream.Stream<View>
  }
>()("@troupe/actor/Membership") {}
