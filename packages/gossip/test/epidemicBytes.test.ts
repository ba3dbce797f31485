/** Messages are no larger than a packet, as they are on the wire: bounds of bytes are bounds. */
import { Plumtree, PushPull, RumorMongering } from "@troupe/gossip"
import { Codec } from "@troupe/transport"
import { describe, expect, it } from "vitest"
import { Hand, known, publish } from "./epidemic/hand.ts"
import { seeded } from "./epidemic/rounds.ts"

const sizeOf = <Message>(codec: Codec.Codec<Message>, { to: _, ...message }: { readonly to: string }): number =>
  Codec.encode(codec, message as Message).length

/** Names of all lengths, letters of all widths. */
const nodes = ["n1", ...Array.from({ length: 60 }, (_, at) => `${"é世x".repeat(at % 10)}${at}`)].toSorted()

describe("no message is larger than `packetBytes`", () => {
  it.each([300, 1_200, 8_000])("%i bytes", (packetBytes) => {
    const random = seeded(packetBytes)
    const payload = () => publish(new Uint8Array(Math.floor(random() * 90)))
    const budget = { packetBytes, itemsPerMessage: 4_096, messagesPerRound: 100_000, sourcesPerDigest: 4_096 }
    const self = { mode: "push", ...budget } as const

    const pushPull = new Hand(PushPull.protocol, "n1", { ...PushPull.defaults, ...budget }, nodes, random)
    const rumours = new Hand(RumorMongering.protocol, "n1", { ...RumorMongering.defaults, ...self }, nodes, random)
    const tree = new Hand(Plumtree.protocol, "n1", { ...Plumtree.defaults, ...budget, batchMillis: 50 }, nodes, random)
    tree.hear(nodes[7]!, { _tag: "Prune", tree: "" })
    const items = nodes.flatMap((origin) =>
      [1, 2, 5, 9, 900_000_000_000].map((sequence) => ({
        ...{ origin, life: 2 ** 32 - 1, sequence, topic: "prices" },
        payload: new Uint8Array(Math.floor(random() * 90))
      }))
    )
    for (const each of [pushPull, rumours, tree]) each.hear("n1", { _tag: "Items", items, wants: [] })
    for (let i = 0; i < 100; i++) for (const each of [pushPull, rumours, tree]) each.command(payload())

    const asked = { _tag: "Digest", mode: "push-pull", after: "", upTo: "" } as const
    const sizes = [
      ...[0, 1, 2, 3].flatMap(() => pushPull.timeout("round").sent),
      ...pushPull.hear(nodes[3]!, { ...asked, sources: [] }).sent,
      ...pushPull.hear(nodes[3]!, { ...asked, sources: [known("n1", [1, 3, 7, 2 ** 39], 1)] }).sent
    ].map((message) => sizeOf(Codec.binary(PushPull.Message), message))
    sizes.push(...rumours.timeout("round").sent.map((message) => sizeOf(Codec.binary(RumorMongering.Message), message)))
    const pushed = [...tree.timeout("batch").sent, ...tree.timeout("announce").sent]
    const ids = items.map(({ payload: _, topic: __, ...id }) => ({ ...id, sequence: id.sequence + 7 }))
    tree.hear(nodes[5]!, { _tag: "IHave", ids, hops: ids.map(() => 3) })
    tree.now = 10_000
    pushed.push(...tree.timeout("graft").sent)
    sizes.push(...pushed.map((message) => sizeOf(Codec.binary(Plumtree.Message), message)))

    expect(new Set(pushed.map(({ _tag }) => _tag))).toEqual(new Set(["Gossip", "IHave", "Graft"]))
    expect(sizes.length).toBeGreaterThan(20)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(packetBytes)
    // And they are made use of.
    expect(Math.max(...sizes)).toBeGreaterThan(0.5 * packetBytes)
  })
})
