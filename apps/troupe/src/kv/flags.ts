/** The flags of `troupe kv`, and which of them go together. */
import { type Node, replications, Settings } from "@troupe/kv"
import { Option } from "effect"
import { Flag } from "effect/cli"
import { isBetween } from "../commands/arguments.ts"
import { firstGiven, ifGiven, limit } from "../commands/serving.ts"

const port = (name: string) =>
  Flag.Int(name).pipe(Flag.filter(isBetween(0, 65_535), () => "a port from 0 to 65535; 0: one that is free"))

const bound = (name: string, setting: keyof typeof Settings.ranges, what: string, unit = 1) =>
  limit(name, { range: Settings.ranges[setting], otherwise: Settings.defaults[setting], unit }, what)

const limits = {
  maxClients: bound("max-clients", "maxClients", "Clients of a node; one more is told so, and closed"),
  maxValue: bound("max-value", "maxValueBytes", "Bytes of a key or value; who sends a longer one is closed"),
  maxPipeline: bound(
    "max-pipeline",
    "maxPipeline",
    "Commands of a client that wait for their turn; beyond it no more are read until there are fewer"
  ),
  maxOutput: bound(
    "max-output",
    "maxOutputBytes",
    "Bytes of replies that a client has not taken; beyond it it is closed"
  ),
  slowReader: bound(
    "slow-reader-seconds",
    "slowReaderMillis",
    "How long a client may take none of the replies that wait for it",
    1000
  ),
  idle: bound("idle-seconds", "idleMillis", "How long a client may say nothing; 0: for ever", 1000)
}

/** `--nodes` at the most. */
const mostNodes = 49

const votes = (name: string, what: string) =>
  Flag.Int(name).pipe(
    Flag.filter(isBetween(1, mostNodes), () => `a number of nodes from 1 to ${mostNodes}`),
    Flag.withDescription(`With --replication quorum: how many nodes ${what}. Default: a majority`),
    Flag.optional
  )

const quorum = {
  readQuorum: votes("read-quorum", "a read asks for"),
  writeQuorum: votes("write-quorum", "must have a change before it is answered"),
  noWriteBack: Flag.Boolean("no-write-back").pipe(
    Flag.withDescription(
      "With --replication quorum: answer a read though fewer nodes than a write needs have what it answers; a later read may " +
        "answer what was before"
    ),
    Flag.withDefault(false)
  )
}

export const flags = {
  replication: Flag.Literals("replication", replications).pipe(
    Flag.withDescription("How the nodes keep their copies alike"),
    Flag.withDefault("passive")
  ),
  ...quorum,
  nodes: Flag.Int("nodes").pipe(
    Flag.filter(isBetween(1, mostNodes), () => `a number of nodes from 1 to ${mostNodes}`),
    Flag.withDescription("How many nodes there are. Default: 5"),
    Flag.withDefault(5)
  ),
  transport: Flag.Literals("transport", ["memory", "tcp", "sim"]).pipe(
    Flag.withDescription(
      "memory: by reference. tcp: over the loopback interface. All nodes are in this process; for one a process see " +
        "`troupe kv node --help`. sim: no server, but a trial in a simulated world, on virtual time"
    ),
    Flag.withDefault("memory")
  ),
  data: Flag.String("data").pipe(
    Flag.withMetavar("DIR"),
    Flag.withDescription("Where the nodes keep what they must not forget. Without it they keep it in memory"),
    Flag.optional
  ),
  host: Flag.String("host").pipe(
    Flag.withDescription("What to listen on. Default: 127.0.0.1; any other needs a password"),
    Flag.optional
  ),
  port: port("port").pipe(
    Flag.withDescription("Of the first node, for Redis clients; the others have the following ones. Default: 6380"),
    Flag.optional
  ),
  http: port("http").pipe(Flag.withDescription("Of health, metrics and the status page. Default: 8380"), Flag.optional),
  tlsCert: Flag.String("tls-cert").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("A certificate in PEM, with --tls-key: then Redis clients must speak TLS"),
    Flag.optional
  ),
  tlsKey: Flag.String("tls-key").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("The certificate's key, in PEM"),
    Flag.optional
  ),
  ...limits,
  demo: Flag.Boolean("demo").pipe(
    Flag.withDescription(
      "Keep the store busy, kill nodes and cut the network for some seconds, and end with the verdict: exits with 0 when " +
        "what clients saw is consistent, and with 1 when it is not"
    ),
    Flag.withDefault(false)
  ),
  seconds: Flag.Int("seconds").pipe(
    Flag.filter(isBetween(2, 3600), () => "a number of seconds from 2 to 3600"),
    Flag.withDescription("How long a trial takes. Default: 15 with --demo, 60 with --transport sim"),
    Flag.optional
  ),
  seed: Flag.Int("seed").pipe(
    Flag.withDescription(
      "Of a trial: draws what happens. With --transport sim the same seed gives the same run. Default: 1"
    ),
    Flag.optional
  ),
  faults: Flag.Literals("faults", ["none", "lossy", "crash", "partition", "chaos"]).pipe(
    Flag.withDescription("With --transport sim: what goes wrong. Default: chaos"),
    Flag.optional
  ),
  history: Flag.String("history").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Of a trial: keep what clients saw, for `troupe verify`"),
    Flag.optional
  )
}

export type Given = {
  readonly [Name in keyof typeof flags]: (typeof flags)[Name] extends Flag.Flag<infer A> ? A : never
}

export const quorumOf = ({ noWriteBack, readQuorum, writeQuorum }: Given): Node.QuorumOptions => ({
  ...ifGiven(readQuorum, "readQuorum"),
  ...ifGiven(writeQuorum, "writeQuorum"),
  ...(noWriteBack ? { writeBack: false } : {})
})

/** What only one of the forms of the command takes, and where it does. */
export const misplaced = (given: Given): string | undefined => {
  const isSim = given.transport === "sim"
  const isTrial = isSim || given.demo
  if (given.demo && given.transport !== "memory") {
    return isSim
      ? "--demo: with --transport sim a trial it is anyway, on virtual time. Leave --demo out."
      : "--demo: it kills nodes and cuts the network in this process, which takes --transport memory."
  }
  if (given.replication !== "quorum") {
    const ofQuorum = given.noWriteBack
      ? "no-write-back"
      : firstGiven([
          ["read-quorum", given.readQuorum],
          ["write-quorum", given.writeQuorum]
        ])
    if (ofQuorum !== undefined) return `--${ofQuorum}: there are no quorums to it. Add --replication quorum.`
  }
  const ofTrial = firstGiven([
    ["seconds", given.seconds],
    ["seed", given.seed],
    ["history", given.history]
  ])
  if (ofTrial !== undefined && !isTrial) return `--${ofTrial}: it is for trials. Add --demo, or --transport sim.`
  if (Option.isSome(given.faults) && !isSim) return "--faults: they are simulated. Add --transport sim."
  const ofServer = firstGiven([
    ["data", given.data],
    ["host", given.host],
    ["tls-cert", given.tlsCert],
    ["tls-key", given.tlsKey],
    ["max-clients", given.maxClients],
    ["max-value", given.maxValue],
    ["max-pipeline", given.maxPipeline],
    ["max-output", given.maxOutput],
    ["slow-reader-seconds", given.slowReader],
    ["idle-seconds", given.idle],
    ...(isSim
      ? ([
          ["port", given.port],
          ["http", given.http]
        ] as const)
      : [])
  ])
  return ofServer !== undefined && isTrial
    ? `--${ofServer}: a trial has disks and clients of its own. Leave it out.`
    : undefined
}
