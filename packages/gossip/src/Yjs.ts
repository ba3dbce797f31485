/**
 * Replicates a Yjs document, of text or JSON, over a transport: Yjs merges, this carries.
 *
 * What a node changes goes to all others soon, gathered for a moment. Messages may be lost: so every node tells one other at random, again and
 * again, what it has (its state vector), and is sent the rest. A node that starts does so at once. An update that stands on
 * others which have not arrived is kept by Yjs, and asked after; a bound on what is kept so is an option.
 *
 * What does not fit a message goes in parts, and is lost with any of them: where links lose, a difference of more than some dozens
 * of packets should not be expected to arrive. Over TCP take `packetBytes` large. Yjs sends all that was ever deleted with each
 * difference: after deletions, rounds are not empty though nobody lacks anything.
 *
 * It needs the package `yjs`, which is an optional peer dependency.
 *
 * Source: P. Nicolaescu, K. Jahns, M. Derntl, R. Klamma, "Near Real-Time Peer-to-Peer Shared Editing on Extensible Data
 * Types", GROUP 2016.
 *
 * @example
 * import * as Yjs from "@troupe/gossip/Yjs"
 * import { Memory } from "@troupe/transport"
 * import { Effect } from "effect"
 * import * as Y from "yjs"
 *
 * const network = Memory.network({ nodes: ["n1", "n2"] })
 * const node = (id: string, word: string) =>
 *   Effect.gen(function*() {
 *     const doc = new Y.Doc()
 *     yield* Yjs.replicate(doc, { name: "notes", interval: "5 millis", gather: "1 millis" })
 *     const text = doc.getText("notes")
 *     text.insert(0, word)
 *     while (text.length < 6) yield* Effect.sleep("1 millis")
 *     // The other one may need its answers still.
 *     yield* Effect.sleep("100 millis")
 *     return text.toString()
 *   }).pipe(Effect.scoped, Effect.provide(Memory.layer(network, id)))
 * const [one, two] = await Effect.runPromise(Effect.all([node("n1", "abc"), node("n2", "xyz")], { concurrency: 2 }))
 * console.log(one === two, one!.includes("abc"), one!.includes("xyz")) // true true true
 */
export * from "./crdt/yjs/replica.ts"
