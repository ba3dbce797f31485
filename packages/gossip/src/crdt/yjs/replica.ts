/** A replica of a Yjs document. What it is for is told in `Yjs.ts`. */
import { Channel, type NodeId, Transport } from "@troupe/transport"
import { Duration, Effect, Option, PubSub, Queue, Random, Schema, Stream } from "effect"
import * as Y from "yjs"
import { InvalidOptions } from "../../Gossip.ts"
import { Incoming, split } from "./parts.ts"

/** What nodes say to each other. */
export const Message = Schema.Union([
  /** "This is what I have: send me the rest." With `answer`, "and I know what you have". */
  Schema.TaggedStruct("Have", { vector: Schema.Uint8Array, answer: Schema.Boolean }),
  /** Part number `part` of `parts` of an update; `number` counts the sender's updates. */
  Schema.TaggedStruct("Update", {
    number: Schema.Int,
    part: Schema.Int,
    parts: Schema.Int,
    bytes: Schema.Uint8Array
  })
])
export type Message = typeof Message.Type

/** What a peer sent is no update or state vector of Yjs, or is larger than is taken. The document is as it was. */
export class MalformedUpdate extends Schema.TaggedError<MalformedUpdate>()("MalformedUpdate", {
  from: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `What "${this.from}" sent was refused, and the document left as it is: ${this.reason}`
  }
}

export interface Options {
  /** Names the document: nodes that use the same name share it. */
  readonly name: string
  /** How often a node compares with one other. Default: 1 second. */
  readonly interval?: Duration.Input
  /** How long changes are gathered before they are sent. Default: 20 ms. */
  readonly gather?: Duration.Input
  /** How many bytes of changes are gathered; what is over it waits for the next comparison. Default: 1 MiB. */
  readonly gatherBytes?: number
  /** The largest message, 256 bytes or more. Default: 1,200. */
  readonly packetBytes?: number
  /** The largest update that is taken, and as much of updates whose predecessors are missing. Default: 16 MiB. */
  readonly updateBytes?: number
}

export interface Replica {
  readonly doc: Y.Doc
  /** What was refused, from now on. A reader that lags by more than 64 misses the oldest. */
  readonly refusals: Stream.Stream<MalformedUpdate>
}

const Settings = Schema.Struct({
  intervalMillis: Schema.Number.check(Schema.isGreaterThan(0), Schema.isLessThan(2 ** 31)),
  gatherMillis: Schema.Number.check(Schema.isGreaterThanOrEqualTo(0), Schema.isLessThan(2 ** 31)),
  gatherBytes: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2 ** 30 })),
  packetBytes: Schema.Int.check(Schema.isBetween({ minimum: 256, maximum: 2 ** 30 })),
  updateBytes: Schema.Int.check(Schema.isBetween({ minimum: 256, maximum: 2 ** 30 }))
})

const settle = (given: Options) => {
  const millis = (input: Duration.Input): unknown =>
    Option.match(Duration.fromInput(input), { onNone: () => input, onSome: Duration.toMillis })
  return Schema.decodeUnknownEffect(Settings)({
    intervalMillis: millis(given.interval ?? 1_000),
    gatherMillis: millis(given.gather ?? 20),
    gatherBytes: given.gatherBytes ?? 2 ** 20,
    packetBytes: given.packetBytes ?? 1_200,
    updateBytes: given.updateBytes ?? 2 ** 24
  }).pipe(Effect.mapError(({ message }) => new InvalidOptions({ reason: message })))
}

/**
 * Draws the client id of a document by `Random`, before anything is written to it, so that a simulated run repeats. The
 * document must be made outside of the run: Yjs takes numbers from the machine when it makes one.
 */
export const drawClientId = (doc: Y.Doc): Effect.Effect<void> =>
  Effect.map(Random.Random, (random) => {
    doc.clientID = Math.floor(random.nextDoubleUnsafe() * 2 ** 32)
  })

/** Of a message, beside the bytes of the update. */
const envelopeBytes = 48

/** Of an update that says nothing. */
const emptyBytes = 2

/** Replicates `doc` among the nodes of the transport, for as long as the scope lives. */
export const replicate = Effect.fnUntraced(function* (doc: Y.Doc, given: Options) {
  const options = yield* settle(given)
  const transport = yield* Transport
  const random = yield* Random.Random
  const peers = transport.nodes.filter((node) => node !== transport.self)
  const refused = yield* PubSub.sliding<MalformedUpdate>(64)
  const incoming = new Incoming(options.updateBytes)
  const wake = yield* Queue.sliding<void>(1)
  let gathered: Array<Uint8Array> = []
  let gatheredBytes = 0
  let updates = 0

  // Of its own changes the document tells with any other origin.
  const origin = {}
  const onUpdate = (update: Uint8Array, from: unknown): void => {
    if (from === origin || gatheredBytes + update.length > options.gatherBytes) return
    gathered.push(update)
    gatheredBytes += update.length
    Queue.offerUnsafe(wake, undefined)
  }

  const receive = (from: NodeId.NodeId, message: Message): void => {
    try {
      if (message._tag === "Have") return answer(from, message.vector, message.answer)
      const update = incoming.take(from, message)
      if (update !== undefined) apply(from, update)
    } catch (failure) {
      const reason = failure instanceof Error ? failure.message : String(failure)
      PubSub.publishUnsafe(refused, new MalformedUpdate({ from, reason }))
    }
  }
  const send = yield* transport.open(Channel.make(`gossip/yjs/${given.name}`, Message), receive)

  const sendUpdate = (to: ReadonlyArray<NodeId.NodeId>, update: Uint8Array): void => {
    updates = (updates + 1) % 2 ** 31
    const parts = split(update, options.packetBytes - envelopeBytes)
    for (const node of to) {
      parts.forEach((bytes, part) => send(node, { _tag: "Update", number: updates, part, parts: parts.length, bytes }))
    }
  }
  const have = (to: NodeId.NodeId, answer: boolean): void =>
    send(to, { _tag: "Have", vector: Y.encodeStateVector(doc), answer })

  /** Sends what the peer lacks; and asks, where it has what this node lacks. */
  const answer = (from: NodeId.NodeId, vector: Uint8Array, isAnswer: boolean): void => {
    const theirs = Y.decodeStateVector(vector)
    const update = Y.encodeStateAsUpdate(doc, vector)
    if (update.length > emptyBytes) sendUpdate([from], update)
    if (isAnswer) return
    const mine = Y.decodeStateVector(Y.encodeStateVector(doc))
    if ([...theirs].some(([client, clock]) => clock > (mine.get(client) ?? 0))) have(from, true)
  }

  const apply = (from: NodeId.NodeId, update: Uint8Array): void => {
    // Read as a whole before the document sees any of it: what is cut short would be merged by half.
    Y.decodeUpdate(update)
    Y.applyUpdate(doc, update, origin)
    const { pendingStructs } = doc.store
    if (pendingStructs === null) return
    if (pendingStructs.update.length > options.updateBytes) doc.store.pendingStructs = null
    have(from, true)
  }

  yield* Effect.acquireRelease(
    Effect.sync(() => doc.on("update", onUpdate)),
    () => Effect.sync(() => doc.off("update", onUpdate))
  )
  yield* Effect.gen(function* () {
    yield* Queue.take(wake)
    yield* Effect.sleep(options.gatherMillis)
    const update = gathered.length === 1 ? gathered[0]! : Y.mergeUpdates(gathered)
    gathered = []
    gatheredBytes = 0
    sendUpdate(peers, update)
  }).pipe(Effect.forever, Effect.forkScoped)
  yield* Effect.gen(function* () {
    const peer = peers[Math.floor(random.nextDoubleUnsafe() * peers.length)]
    if (peer !== undefined) have(peer, false)
    yield* Effect.sleep(options.intervalMillis)
  }).pipe(Effect.forever, Effect.forkScoped)

  const replica: Replica = { doc, refusals: Stream.fromPubSub(refused) }
  return replica
})
