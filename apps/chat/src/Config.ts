/** The file that says which nodes there are, and where. Every node reads the same one. */
import { NodeId } from "@troupe/transport"
import { Effect, FileSystem, Schema } from "effect"
import { Limits } from "./Door.ts"

const Port = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_535 }))
const Millis = Schema.Int.check(Schema.isBetween({ minimum: 10, maximum: 600_000 }))

const Node = Schema.Struct({
  id: NodeId.NodeId,
  /** Where the others reach it: `host:port`. */
  peer: Schema.String.check(Schema.isPattern(/^[^\s:]+:[0-9]{1,5}$/)),
  /** Where users do, with `nc`. */
  port: Port,
  /** Where users do, with a browser. None: nowhere. */
  http: Schema.optionalKey(Port),
  /** Where `troupe top` sees its actors, from this machine. None: nowhere. */
  top: Schema.optionalKey(Port),
  /** What it listens on for users. Default: 127.0.0.1. */
  host: Schema.optionalKey(Schema.String),
  /** Its directory. */
  data: Schema.String.check(Schema.isMinLength(1))
})
export type Node = typeof Node.Type

export const Config = Schema.Struct({
  /** Nodes of other chats are refused. */
  chat: Schema.String.check(Schema.isPattern(/^.{1,255}$/)),
  nodes: Schema.Array(Node).check(Schema.isMinLength(1)),
  /** How often nodes tell each other that they are up, who is where, and what they have. Default: 500. */
  everyMillis: Schema.optionalKey(Millis),
  /** How long a node may be silent before its users are taken for gone. Default: 2,000. */
  deadlineMillis: Schema.optionalKey(Millis),
  /** What each node takes of those who come to it. */
  limits: Schema.optionalKey(Limits)
})
export type Config = typeof Config.Type

/** A configuration that cannot be used. */
export class ConfigInvalid extends Schema.TaggedError<ConfigInvalid>()("ConfigInvalid", {
  file: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.file}: ${this.reason}`
  }
}

const decode = Schema.decodeEffect(Schema.fromJsonString(Config), { onExcessProperty: "error" })

export const parse = (file: string, text: string): Effect.Effect<Config, ConfigInvalid> =>
  Effect.gen(function* () {
    const refuse = (reason: string) => new ConfigInvalid({ file, reason })
    const config = yield* Effect.mapError(decode(text), ({ message }) => refuse(message))
    for (const what of ["id", "peer", "data"] as const) {
      const all = config.nodes.map((node) => node[what])
      const twice = all.find((value, index) => all.indexOf(value) < index)
      if (twice !== undefined) return yield* refuse(`two nodes have one ${what}, "${twice}". Give each its own`)
    }
    return config
  })

export const read = (file: string): Effect.Effect<Config, ConfigInvalid, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const text = yield* Effect.mapError(
      files.readFileString(file),
      () => new ConfigInvalid({ file, reason: "there is no such file, or it cannot be read" })
    )
    return yield* parse(file, text)
  })

/** The node that this process is. */
export const find = (file: string, { nodes }: Config, id: string): Effect.Effect<Node, ConfigInvalid> => {
  const found = nodes.find((node) => node.id === id)
  const known = nodes.map((node) => node.id).join(", ")
  return found === undefined
    ? Effect.fail(new ConfigInvalid({ file, reason: `there is no node "${id}" in it: it has ${known}` }))
    : Effect.succeed(found)
}
