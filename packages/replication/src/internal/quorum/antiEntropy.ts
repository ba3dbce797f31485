/**
 * Brings replicas that were away what they missed, without its being read: nodes compare their copies in rounds.
 *
 * What a replica is handed it takes as it takes any copy, unless it has promised not to. What was forgotten does not come
 * back, since all have promised as much as the version that it was forgotten as.
 */
import type { Actor } from "@troupe/actor"
import { AntiEntropy } from "@troupe/gossip"
import { Codec } from "@troupe/transport"
import { type Duration, Effect } from "effect"
import type * as Machine from "../../Machine.ts"
import { InvalidOptions } from "../../Replicated.ts"
import * as Trie from "../../Trie.ts"
import type { Ballot } from "./ballots.ts"
import { copyOf } from "./messages.ts"
import type { Copy, Register } from "./registers.ts"
import type { Command, Event, State } from "./state.ts"

const largest = 16 * 1024 * 1024

/** Tells which copies are the same: of a version there is one. */
const versionOf = ({ counter, life, node }: Ballot): string => `${counter}.${node}.${life}`

/** For as long as the scope lives. */
export const run = Effect.fnUntraced(function* (
  machine: Machine.Any,
  name: string,
  actor: Actor.Actor<State, Command, Event>,
  interval: Duration.Input
) {
  const codec: Codec.Codec<Copy> = Codec.binary(copyOf(machine))
  const find = (key: string): Register | undefined => Trie.get(actor.state().registers.byKey, key)
  const versionIn = (key: string): string | undefined => {
    const register = find(key)
    return register === undefined || register.copy.version.counter === 0 ? undefined : versionOf(register.copy.version)
  }
  const replica = yield* AntiEntropy.make(
    {
      *entries() {
        for (const { copy, key } of Trie.from(actor.state().registers.byKey)) {
          if (copy.version.counter > 0) yield { key, version: versionOf(copy.version) }
        }
      },
      read: (key) => {
        const register = find(key)
        return register === undefined ? undefined : Codec.encode(codec, register.copy)
      },
      merge: (key, bytes) => {
        actor.tell({ _tag: "Heal", key, copy: Codec.decode(codec, bytes) })
        return versionIn(key)
      }
    },
    { name, interval, packetBytes: 64 * 1024, entryBytes: largest }
  ).pipe(Effect.catchTag("InvalidOptions", ({ message }) => Effect.fail(new InvalidOptions({ reason: message }))))
  const unsubscribe = actor.subscribe((event) => {
    if (event._tag === "Took") replica.changed(event.keys.map((key) => ({ key, version: versionIn(key) })))
  })
  yield* Effect.addFinalizer(() => Effect.sync(unsubscribe))
})
