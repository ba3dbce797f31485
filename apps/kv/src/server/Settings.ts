/** How a server for Redis clients listens, and its bounds. */
import { Schema } from "effect"
import { maximumValueBytes } from "../commands/Command.ts"
import type { Environment } from "./Action.ts"

export interface Settings {
  /** Default: `127.0.0.1`. Whoever reaches the port can read and write everything, but for the password. */
  readonly host: string
  /** 0: one that is free. */
  readonly port: number
  /** What clients must say by `AUTH` or `HELLO`. */
  readonly password: string | undefined
  /** In PEM. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined
  /** One more is told so, and closed. */
  readonly maxClients: number
  /** Of a word of a command, key or value: up to 4 MiB. A longer one is refused before it is read, with its connection. */
  readonly maxValueBytes: number
  /** Commands of a client that wait for their turn: beyond it the client isn't read from until there are fewer. */
  readonly maxPipeline: number
  /** Of replies that a client doesn't take: beyond it the client is closed. */
  readonly maxOutputBytes: number
  /** How long a client may take nothing of its replies. */
  readonly slowReaderMillis: number
  /** How long a client may say nothing; 0: for ever. Of a host that is gone the system's keep-alive tells. */
  readonly idleMillis: number
  /** What `WAIT` tells of an answered write: that a majority has it, or that maybe nobody but this node has. */
  readonly writesReach: "majority" | "self"
  /**
   * `together`: what several clients change in one turn goes to the replicas as one request. `apart`: each client's for
   * itself, so that a key that is slow holds up nobody else.
   */
  readonly writes: "together" | "apart"
  /** How long a stopping server waits for the commands that it has read. */
  readonly drainMillis: number
}

export const defaults: Settings = {
  host: "127.0.0.1",
  port: 6380,
  password: undefined,
  tls: undefined,
  maxClients: 10_000,
  maxValueBytes: maximumValueBytes,
  maxPipeline: 4_096,
  maxOutputBytes: 32 * 1024 * 1024,
  slowReaderMillis: 60_000,
  idleMillis: 0,
  writesReach: "majority",
  writes: "together",
  drainMillis: 5_000
}

/** The bounds alone: from which to which number each may be. */
export const ranges = {
  maxClients: [1, 1_000_000],
  maxValueBytes: [1, maximumValueBytes],
  maxPipeline: [1, 1_000_000],
  maxOutputBytes: [1, 2 ** 40],
  slowReaderMillis: [1, 2 ** 31 - 1],
  idleMillis: [0, 2 ** 31 - 1],
  drainMillis: [0, 2 ** 31 - 1]
} as const satisfies Partial<Record<keyof Settings, readonly [number, number]>>

const within = (name: keyof typeof ranges) => {
  const [minimum, maximum] = ranges[name]
  return Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum, maximum })))
}

export const Limits = Schema.Struct({
  maxClients: within("maxClients"),
  maxValueBytes: within("maxValueBytes"),
  maxPipeline: within("maxPipeline"),
  maxOutputBytes: within("maxOutputBytes"),
  slowReaderMillis: within("slowReaderMillis"),
  idleMillis: within("idleMillis"),
  drainMillis: within("drainMillis")
})
export type Limits = typeof Limits.Type

/** What a conversation knows of its server. */
export const environmentOf = (settings: Settings, node: string, id: number): Environment => ({
  id,
  node,
  password: settings.password,
  maxPipeline: settings.maxPipeline,
  configuration: {
    appendonly: "no",
    databases: "1",
    maxclients: String(settings.maxClients),
    maxmemory: "0",
    port: String(settings.port),
    "proto-max-bulk-len": String(settings.maxValueBytes),
    save: "",
    timeout: String(Math.round(settings.idleMillis / 1000))
  }
})

/** Of all words of a command: with a value of the maximum there is room for its key and options. */
export const maxCommandBytes = 6 * 1024 * 1024
export const maxWords = 1024 * 1024

/** The server cannot listen, or an option of it is wrong. */
export class ServerFailed extends Schema.TaggedError<ServerFailed>()("ServerFailed", { reason: Schema.String }) {
  override get message(): string {
    return `The Redis port cannot be opened: ${this.reason}`
  }
}

export const problemOf = (settings: Settings): string | undefined => {
  const { host, password, port } = settings
  if (!Number.isInteger(port) || port < 0 || port > 65_535) return `port ${port} is none: 0 to 65535`
  for (const [name, [least, most]] of Object.entries(ranges)) {
    const given = settings[name as keyof typeof ranges]
    if (!(Number.isInteger(given) && given >= least && given <= most)) {
      return `${name} is ${given}: a whole number from ${least} to ${most}`
    }
  }
  if (password === "") return "an empty password is none: leave it out"
  if (!isLoopback(host) && password === undefined) {
    return `${host} can be reached from other machines: set a password, or listen on 127.0.0.1`
  }
  return undefined
}

const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || host.startsWith("127.")
