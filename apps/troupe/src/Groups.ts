/** How multicasts and memberships are shown. */
import { Bully } from "@troupe/election"
import { Heartbeat } from "@troupe/failure-detection"
import { CoordinatedMembership, Membership, Multicast } from "@troupe/group"
import { Channel, type NodeId, Transport } from "@troupe/transport"
import { Effect, Layer, Result, Schema, Stream } from "effect"
import { type Algorithm, build, type Demonstration, lasting, ongoing, type Stage } from "./Demonstration.ts"

/** The longest pause of a node between two messages of its own. */
const pauseMillis = 20

/** How long it is waited for that all are in the group. */
const gatherMillis = 20_000

const Words = Channel.make("words", Schema.String)

/** The names of what came last, in the order of coming. */
export const latest = (names: ReadonlyArray<string>, most = 8): string =>
  `${names.length}: ${names.length > most ? "… " : ""}${names.slice(-most).join(" ")}`

/** Until the group has all nodes; if some don't come, for a while. */
const gathered = Effect.fnUntraced(function* ({ view, views }: Multicast.Service) {
  const { nodes } = yield* Transport
  if ((yield* view).members.length === nodes.length) return
  yield* views.pipe(
    Stream.filter(({ members }) => members.length === nodes.length),
    Stream.runHead,
    Effect.timeoutOption(gatherMillis)
  )
})

/** Messages of all nodes to all, at moments of their own. */
export const multicast = <G extends Multicast.Guarantee>({
  card,
  defaults,
  layer,
  protocol
}: Algorithm & {
  readonly layer: () => Layer.Layer<Multicast.Multicast<G>, Error, Transport>
}): Demonstration => ({
  name: protocol.name,
  card,
  service: "multicast",
  protocol: protocol as Demonstration["protocol"],
  options: defaults,
  actor: `${protocol.name}/demo`,
  operation: card.cost.operation,
  isOngoing: false,
  operations: (entries) => entries,
  inTurns: false,
  program: Effect.fnUntraced(function* (stage: Stage) {
    const { self } = yield* Transport
    const service = yield* build(Multicast.key<G>(), layer())
    const had: Array<string> = []
    const words = yield* service.open(Words, ({ message }) => {
      had.push(message)
      stage.gets(message, latest(had))
    })
    yield* gathered(service)
    for (let count = 1; yield* stage.next; count++) {
      yield* stage.pause(pauseMillis)
      const word = `${self}.${count}`
      stage.sends(word)
      // Who is out of the group takes no part any more.
      if (Result.isFailure(yield* Effect.result(words.send(word)))) return
      yield* stage.work
    }
  })
})

/** Views that are agreed on by what else there is here: heartbeats, and a leader. */
export const coordinated: Layer.Layer<Membership.Membership, Error, Transport> = Layer.suspend(() =>
  CoordinatedMembership.layer().pipe(Layer.provide(Bully.layer()), Layer.provide(Heartbeat.layer()))
)

/** Those views, of one group that all nodes join. */
export const inViews = Layer.suspend(() => Membership.ofGroup("demo").pipe(Layer.provide(coordinated)))

/** One group, which all nodes join, and which each leaves when it dies. */
export const membership = ({
  card,
  defaults,
  layer,
  protocol
}: Algorithm & {
  readonly layer: (nodes: ReadonlyArray<NodeId.NodeId>) => Layer.Layer<Membership.Membership, Error, Transport>
}): Demonstration => ({
  ...ongoing({ card, defaults, protocol }),
  service: "membership",
  program: Effect.fnUntraced(function* (stage) {
    const { nodes, self } = yield* Transport
    const service = yield* build(Membership.Membership, layer(nodes))
    const follow = Effect.gen(function* () {
      yield* stage.show("waits", "to be let in")
      const group = yield* service.join("demo", { create: true })
      let before: ReadonlyArray<NodeId.NodeId> = []
      yield* Stream.runForEach(group.views, ({ members, number, primary }) =>
        Effect.gen(function* () {
          for (const node of before) if (!members.includes(node)) yield* stage.says("down", node)
          for (const node of members) if (!before.includes(node)) yield* stage.says("up", node)
          before = members
          const what = `view ${number}${primary ? "" : ", partial"}: ${members.join(" ")}`
          yield* stage.show(members[0] === self ? "leads" : "rests", what)
        })
      )
    })
    yield* Effect.forkScoped(follow)
    yield* lasting(stage)
  })
})
