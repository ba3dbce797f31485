/** How the servers of a store listen: from flags, files and the environment. */
import { ClusterConfig, type Settings } from "@troupe/kv"
import { Config, Effect, type FileSystem, Option } from "effect"
import { ifGiven, usage } from "../commands/serving.ts"
import { Usage } from "../Problem.ts"
import type { Given } from "./flags.ts"

type Files<A> = Effect.Effect<A, Usage, FileSystem.FileSystem>

export const password = Effect.map(
  Effect.orElseSucceed(Config.option(Config.String("TROUPE_KV_PASSWORD")), () => Option.none<string>()),
  (given) => Option.match(given, { onNone: () => ({}), onSome: (password) => ({ password }) })
)

export const settingsOf = (given: Given): Files<Partial<Settings.Settings>> =>
  Effect.gen(function* () {
    const { tlsCert: cert, tlsKey: key } = given
    if (Option.isSome(cert) !== Option.isSome(key)) {
      const [there, lacks] = Option.isSome(cert) ? ["--tls-cert", "--tls-key"] : ["--tls-key", "--tls-cert"]
      return yield* new Usage({ reason: `${there} needs ${lacks}: a certificate and its own key, in PEM.` })
    }
    const tls =
      Option.isSome(cert) && Option.isSome(key)
        ? { tls: yield* readPair({ cert: cert.value, key: key.value }, "--tls-cert", "--tls-key") }
        : {}
    return {
      ...(yield* password),
      ...ifGiven(given.host, "host"),
      ...tls,
      ...ifGiven(given.maxClients, "maxClients"),
      ...ifGiven(given.maxValue, "maxValueBytes"),
      ...ifGiven(given.maxPipeline, "maxPipeline"),
      ...ifGiven(given.maxOutput, "maxOutputBytes"),
      ...ifGiven(given.slowReader, "slowReaderMillis"),
      ...ifGiven(given.idle, "idleMillis")
    }
  })

export const readPair = (
  files: { readonly cert: string; readonly key: string },
  certName: string,
  keyName: string
): Files<{ readonly cert: string; readonly key: string }> =>
  Effect.mapError(
    Effect.all({
      cert: ClusterConfig.readPem(certName, files.cert),
      key: ClusterConfig.readPem(keyName, files.key)
    }),
    usage
  )

export const readPeerTls = (files: { readonly cert: string; readonly key: string; readonly ca: string }) =>
  Effect.gen(function* () {
    const pair = yield* readPair(files, "peerTls.cert", "peerTls.key")
    return { ...pair, ca: yield* Effect.mapError(ClusterConfig.readPem("peerTls.ca", files.ca), usage) }
  })
