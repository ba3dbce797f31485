/** The locks that are measured over TCP, and what the paper says of an entry that nobody contends for. */
import { Heartbeat } from "@troupe/failure-detection"
import {
  AgrawalElAbbadi,
  CarvalhoRoucairol,
  Coordinator,
  LamportQueue,
  LeaseLock,
  Maekawa,
  type Mutex,
  Raymond,
  RicartAgrawala,
  SuzukiKasami,
  TokenRing
} from "@troupe/mutex"
import type { Transport } from "@troupe/transport"
import { Layer } from "effect"

export const nodes = ["n1", "n2", "n3", "n4", "n5"]

export interface Lock {
  readonly layer: Layer.Layer<Mutex, unknown, Transport>
  /** Who enters: one node again and again, or two in turns where the permission stays with who was inside. */
  readonly askers: readonly [string] | readonly [string, string]
  /** Sequential message delays from asking to entering, halved. */
  readonly rounds: number
  /** Where they come from. */
  readonly why: string
  /** The ways of the first asker's messages, and of what they bring about, until it may enter. */
  readonly ways: ReadonlyArray<ReadonlyArray<string>>
  /** Whether others go on when any one node has crashed. */
  readonly survives: boolean
}

const resource = "bench"

const allAnswer = ["n1", "n2", "n4", "n5"].map((node) => [node, "n3"])

/** With what tells it of crashes. */
const watched = (layer: Layer.Layer<Mutex, unknown, Transport>): Layer.Layer<Mutex, unknown, Transport> =>
  Layer.provide(layer, Heartbeat.layer())

export const locks: Readonly<Record<string, Lock>> = {
  coordinator: {
    layer: watched(Coordinator.layer({ resource })),
    askers: ["n3"],
    rounds: 1,
    why: "request to the coordinator, grant",
    ways: [["n1", "n3"]],
    survives: false
  },
  "token-ring": {
    layer: watched(TokenRing.layer({ resource })),
    askers: ["n3"],
    rounds: nodes.length / 2,
    why: "once round the ring: N hops",
    ways: [["n4", "n5", "n1", "n2", "n3"]],
    survives: true
  },
  "lamport-queue": {
    layer: watched(LamportQueue.layer({ resource })),
    askers: ["n3"],
    rounds: 1,
    why: "request to all, their acknowledgements",
    ways: allAnswer,
    survives: true
  },
  "ricart-agrawala": {
    layer: RicartAgrawala.layer({ resource }),
    askers: ["n3"],
    rounds: 1,
    why: "request to all, their replies",
    ways: allAnswer,
    survives: false
  },
  "carvalho-roucairol": {
    layer: CarvalhoRoucairol.layer({ resource }),
    askers: ["n2", "n3"],
    rounds: 1,
    why: "request to the other of two, its reply",
    ways: [["n3", "n2"]],
    survives: false
  },
  "suzuki-kasami": {
    layer: watched(SuzukiKasami.layer({ resource })),
    askers: ["n2", "n3"],
    rounds: 1,
    why: "request to all, the token",
    ways: [["n1"], ["n3", "n2"], ["n4"], ["n5"]],
    survives: true
  },
  raymond: {
    layer: Raymond.layer({ resource }),
    askers: ["n3", "n4"],
    rounds: 3,
    why: "three edges from one to the other, there and back",
    ways: [["n1", "n2", "n4", "n2", "n1", "n3"]],
    survives: false
  },
  maekawa: {
    layer: Maekawa.layer({ resource }),
    askers: ["n3"],
    rounds: 1,
    why: "request to the quorum, its votes",
    ways: [
      ["n2", "n3"],
      ["n4", "n3"]
    ],
    survives: false
  },
  "agrawal-el-abbadi": {
    layer: watched(AgrawalElAbbadi.layer({ resource })),
    askers: ["n3"],
    rounds: 1,
    why: "request to a path of the tree, its votes",
    ways: [["n1", "n3"]],
    survives: true
  },
  "lease-lock": {
    layer: LeaseLock.layer({ resource }),
    askers: ["n3"],
    rounds: 2,
    why: "compare-and-set at the register's host, to enter and to leave",
    ways: [["n1", "n3", "n1", "n3"]],
    survives: false
  }
}
