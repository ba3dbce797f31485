/** When a store is ready, and what people at a terminal are told of it. */
import type { Node } from "@troupe/kv"
import { Console, Effect } from "effect"
import type { Screen } from "../terminal/Screen.ts"

/** Waits until every node knows who leads, where anybody does, within a bound: then its first commands find it ready. */
export const awaitReady = (nodes: ReadonlyArray<Node.Node>): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (const { replicated } of nodes) {
      for (;;) {
        const { primary, role } = yield* replicated.status
        if (role === "replica" || (primary !== undefined && (role === "primary" || role === "backup"))) break
        yield* Effect.sleep("20 millis")
      }
    }
  }).pipe(Effect.timeoutOrElse({ duration: "5 seconds", orElse: () => Effect.void }))

export interface Told {
  readonly title: string
  readonly nodes: ReadonlyArray<Node.Node>
  readonly status: string | undefined
  readonly isTls: boolean
  readonly hasPassword: boolean
}

/** Where it is reached, and what to try. */
export const tell = (
  { hasPassword, isTls, nodes, status, title }: Told,
  { style: { bold, dim } }: Screen
): Effect.Effect<void> => {
  const options = [...(isTls ? ["--tls --cacert CA.pem"] : []), ...(hasPassword ? ["--askpass"] : [])]
  const clientOf = ({ server }: Node.Node): string =>
    ["redis-cli", ...(server.host === "127.0.0.1" ? [] : [`-h ${server.host}`]), `-p ${server.port}`, ...options].join(
      " "
    )
  const first = nodes[0]!
  const last = nodes.at(-1)!
  const lines = [
    "",
    bold(title),
    "",
    ...nodes.map((node) => `  ${node.id.padEnd(4)} ${clientOf(node)}`),
    ...(status === undefined ? [] : ["", `  status page  ${status}`]),
    "",
    `  ${dim("try")}  ${clientOf(first)} set greeting hello`,
    `       ${clientOf(last)} get greeting`,
    "",
    dim("Ctrl-C ends it.")
  ]
  return Console.log(lines.join("\n"))
}
