/** The file that says which nodes a cluster has, and where. Every node reads the same one. */
import { Effect, FileSystem, Schema } from "effect"
import { replications } from "./Node.ts"
import { Limits } from "./server/Settings.ts"

const Port = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_535 }))
const Name = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/))

const File = Schema.String.check(Schema.isMinLength(1))

/** Files in PEM. */
const Tls = Schema.Struct({ cert: File, key: File })

/** Of a certificate whose name is the node's id. `ca`: who signs those of the others. */
const PeerTls = Schema.Struct({ cert: File, key: File, ca: File })

const NodeConfig = Schema.Struct({
  id: Name,
  /** Where the others reach it: `host:port`. */
  peer: Schema.String.check(Schema.isPattern(/^[^\s:]+:[0-9]{1,5}$/)),
  /** Where Redis clients do. */
  port: Port,
  /** What it listens on for them. Default: 127.0.0.1. */
  host: Schema.optionalKey(Schema.String),
  /** For health, metrics and the status page, on the same host. None: no such port. */
  http: Schema.optionalKey(Port),
  /** Its directory. None: it forgets when it ends. */
  data: Schema.optionalKey(Schema.String),
  /** What Redis clients are shown, where it is another one than the cluster's. */
  tls: Schema.optionalKey(Tls),
  /** With it nodes talk to each other by TLS, and know each other by their certificates. All of them have it, or none. */
  peerTls: Schema.optionalKey(PeerTls)
})

const Votes = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 }))

/** Of quorum replication: how many nodes a read and an update ask for, and whether a read writes back. */
const Quorum = Schema.Struct({
  readQuorum: Schema.optionalKey(Votes),
  writeQuorum: Schema.optionalKey(Votes),
  writeBack: Schema.optionalKey(Schema.Boolean)
})

export const ClusterConfig = Schema.Struct({
  /** Nodes of other clusters are refused. */
  cluster: Name,
  replication: Schema.Literals(replications),
  quorum: Schema.optionalKey(Quorum),
  nodes: Schema.Array(NodeConfig).check(Schema.isMinLength(1)),
  /** What clients must say. Better in the environment: TROUPE_KV_PASSWORD. */
  password: Schema.optionalKey(Schema.String.check(Schema.isMinLength(1))),
  /** With it Redis clients must speak TLS. */
  tls: Schema.optionalKey(Tls),
  limits: Schema.optionalKey(Limits)
})
export type ClusterConfig = typeof ClusterConfig.Type
export type NodeConfig = typeof NodeConfig.Type

/** A configuration that cannot be used. */
export class ConfigInvalid extends Schema.TaggedError<ConfigInvalid>()("ConfigInvalid", {
  file: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.file}: ${this.reason}`
  }
}

const decodeJson = Schema.decodeEffect(Schema.fromJsonString(ClusterConfig), { onExcessProperty: "error" })

export const parse = (file: string, text: string): Effect.Effect<ClusterConfig, ConfigInvalid> =>
  Effect.gen(function* () {
    const config = yield* Effect.mapError(
      decodeJson(text),
      ({ message }) => new ConfigInvalid({ file, reason: message })
    )
    const problem = clash(config.nodes) ?? halfSecret(config.nodes) ?? misplaced(config)
    return problem === undefined ? config : yield* new ConfigInvalid({ file, reason: problem })
  })

/** Two nodes cannot share what is one node's; of what is on a machine, two on one machine. */
const clash = (nodes: ReadonlyArray<NodeConfig>): string | undefined => {
  const claims = new Map<string, string>()
  for (const [index, { data, host = "127.0.0.1", http, id, peer, port }] of nodes.entries()) {
    const machine = machineOf(peer)
    const own = [`id "${id}"`, `address ${peer}`, `address ${host}:${port} on ${machine}`]
    if (http !== undefined) own.push(`address ${host}:${http} on ${machine}`)
    if (data !== undefined) own.push(`data directory "${data}" on ${machine}`)
    for (const claim of own) {
      const other = claims.get(claim)
      if (other !== undefined) return `${other} and nodes[${index}] have one ${claim}. Give each its own`
      claims.set(claim, `nodes[${index}]`)
    }
  }
  return undefined
}

/** As far as its address tells. */
const machineOf = (peer: string): string => {
  const host = peer.slice(0, peer.lastIndexOf(":"))
  return host === "localhost" || host.startsWith("127.") ? "this machine" : host
}

const halfSecret = (nodes: ReadonlyArray<NodeConfig>): string | undefined => {
  const open = nodes.findIndex(({ peerTls }) => peerTls === undefined)
  if (open < 0 || nodes.every(({ peerTls }) => peerTls === undefined)) return undefined
  return `nodes[${open}] has no peerTls, and others have. Give it to all nodes, or to none: they could not talk`
}

const misplaced = ({ quorum, replication }: ClusterConfig): string | undefined =>
  quorum === undefined || replication === "quorum"
    ? undefined
    : `"quorum" is for "replication": "quorum", and this is ${replication}. Leave one of them out`

export const read = (file: string): Effect.Effect<ClusterConfig, ConfigInvalid, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const text = yield* Effect.mapError(
      files.readFileString(file),
      () => new ConfigInvalid({ file, reason: "there is no such file, or it cannot be read" })
    )
    return yield* parse(file, text)
  })

/** The text of a file that a configuration or an option names. */
export const readPem = (option: string, file: string): Effect.Effect<string, ConfigInvalid, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    return yield* Effect.mapError(
      files.readFileString(file),
      () => new ConfigInvalid({ file, reason: `${option}: there is no such file, or it cannot be read` })
    )
  })

/** The node that this process is. */
export const find = (file: string, { nodes }: ClusterConfig, id: string): Effect.Effect<NodeConfig, ConfigInvalid> => {
  const found = nodes.find((node) => node.id === id)
  if (found !== undefined) return Effect.succeed(found)
  const reason = `there is no node "${id}" in it: it has ${nodes.map((node) => node.id).join(", ")}`
  return Effect.fail(new ConfigInvalid({ file, reason }))
}
