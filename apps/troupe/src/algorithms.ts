/**
 * Every algorithm that the command line knows, and how each is shown. A new one is a line here.
 */
import { Berkeley, Cristian, LamportClock, NodeClock, Ntp } from "@troupe/clocks"
import {
  Bully,
  CandidateOrdinary,
  ChangRoberts,
  DolevKlaweRodeh,
  HighamPrzytycka,
  HirschbergSinclair,
  Invitation,
  LeLann,
  LeaseElection,
  NextInLine,
  Ring
} from "@troupe/election"
import { Fuse, GossipHeartbeat, Heartbeat, HeartbeatCounters, PhiAccrual, Ping, Swim } from "@troupe/failure-detection"
import {
  BestEffort,
  Causal,
  CausalDependencies,
  CoordinatedMembership,
  Flooding,
  Isis,
  NakReliable,
  Sequencer,
  Token,
  Uniform,
  ViewSynchrony,
  WeakMembership
} from "@troupe/group"
import { HyParView, Plumtree, PushPull, RumorMongering } from "@troupe/gossip"
import {
  AgrawalElAbbadi,
  CarvalhoRoucairol,
  Coordinator,
  LamportQueue,
  LeaseLock,
  Maekawa,
  Raymond,
  RicartAgrawala,
  SuzukiKasami,
  TokenRing
} from "@troupe/mutex"
import { Effect, Layer, Option, Stream } from "effect"
import { clock, type Demonstration, detector, election, mutex, notification, time } from "./Demonstration.ts"
import { architecture, gossip, overlay, replicated, stores } from "./Gossips.ts"
import { coordinated, inViews, membership, multicast } from "./Groups.ts"

/** The name of the group that multicasts are shown in. */
const group = { group: "demo" }

/** With the clock of the node, for it to adjust. */
const disciplined = <A, E, R>(layer: Layer.Layer<A, E, R>) => Layer.provideMerge(layer, NodeClock.layer())

export const algorithms: ReadonlyArray<Demonstration> = [
  clock(LamportClock),
  time({
    ...Cristian,
    defaults: { ...Cristian.defaults, servers: ["n1"] },
    layer: ([server]) => disciplined(Cristian.layer({ servers: [server!], poll: "1 second" }))
  }),
  time({
    ...Berkeley,
    layer: ([id]) => {
      const leader = Effect.succeed(Stream.succeed(Option.some({ id: id! })))
      return disciplined(Berkeley.layer({ leader, interval: "1 second" }))
    }
  }),
  time({
    ...Ntp,
    defaults: { ...Ntp.defaults, servers: ["n1", "n2"], falsetickersMax: 0 },
    layer: (nodes) =>
      disciplined(Ntp.layer({ servers: nodes.slice(0, Math.max(1, nodes.length - 1)), poll: "1 second" }))
  }),
  election(Bully),
  notification(Fuse),
  detector(GossipHeartbeat),
  detector(Heartbeat),
  detector(HeartbeatCounters),
  detector(PhiAccrual),
  detector(Ping),
  detector(Swim),
  mutex(RicartAgrawala),
  mutex(Coordinator),
  mutex(TokenRing),
  mutex(LamportQueue),
  mutex(SuzukiKasami),
  mutex(Maekawa),
  mutex(Raymond),
  mutex(CarvalhoRoucairol),
  mutex(AgrawalElAbbadi),
  mutex(LeaseLock),
  election(NextInLine),
  election(CandidateOrdinary),
  election(Invitation),
  election(ChangRoberts),
  election(DolevKlaweRodeh),
  election(HighamPrzytycka),
  election(HirschbergSinclair),
  election(LeLann),
  election(Ring),
  election(LeaseElection),
  multicast({ ...BestEffort, layer: () => BestEffort.layer(group) }),
  multicast({ ...Flooding, layer: () => Flooding.layer(group) }),
  multicast({ ...Uniform, layer: () => Uniform.layer(group) }),
  multicast({ ...NakReliable, layer: () => NakReliable.layer(group) }),
  multicast({ ...Causal, layer: () => Causal.layer(group) }),
  multicast({ ...CausalDependencies, layer: () => CausalDependencies.layer(group) }),
  multicast({ ...Sequencer, layer: () => Sequencer.layer(group) }),
  multicast({ ...Token, layer: () => Token.layer(group) }),
  multicast({ ...Isis, layer: () => Isis.layer(group) }),
  multicast({ ...ViewSynchrony, layer: () => Layer.provide(ViewSynchrony.layer(group), inViews) }),
  membership({ ...CoordinatedMembership, layer: () => coordinated }),
  membership({ ...WeakMembership, layer: () => Layer.provide(WeakMembership.layer(), Swim.layer()) }),
  gossip({ ...PushPull, layer: () => PushPull.layer() }),
  gossip({ ...RumorMongering, layer: () => RumorMongering.layer({ backup: "2 seconds" }) }),
  gossip({ ...Plumtree, layer: () => Layer.provide(Plumtree.layer(), HyParView.layer()) }),
  overlay({ ...HyParView, layer: () => HyParView.layer() }),
  stores,
  replicated,
  architecture
  // new:algorithm adds here
]

/** The algorithm of that name, or variant of one. */
export const named = (name: string): Demonstration | undefined =>
  algorithms
    .flatMap((algorithm) => [algorithm, ...Object.values(algorithm.variants ?? {})])
    .find((algorithm) => algorithm.name === name)
