/**
 * Every algorithm that the command line knows, and how each is shown. A new one is a line here.
 */
import { LamportClock } from "@troupe/clocks"
import {
  Bully,
  CandidateOrdinary,
  ChangRoberts,
  DolevKlaweRodeh,
  HirschbergSinclair,
  Invitation,
  LeLann,
  LeaseElection,
  NextInLine,
  Ring
} from "@troupe/election"
import { Fuse, GossipHeartbeat, Heartbeat, HeartbeatCounters, PhiAccrual, Ping, Swim } from "@troupe/failure-detection"
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
import { clock, type Demonstration, detector, election, mutex, notification } from "./Demonstration.ts"

export const algorithms: ReadonlyArray<Demonstration> = [
  clock(LamportClock),
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
  election(HirschbergSinclair),
  election(LeLann),
  election(Ring),
  election(LeaseElection)
  // new:algorithm adds here
]

/** The algorithm of that name, or variant of one. */
export const named = (name: string): Demonstration | undefined =>
  algorithms
    .flatMap((algorithm) => [algorithm, ...Object.values(algorithm.variants ?? {})])
    .find((algorithm) => algorithm.name === name)
