/** Asks the inspectors of systems how these stand. */
import { get } from "node:http"
import { Cause, Effect, Schema } from "effect"
import * as Inspector from "@troupe/actor/Inspector"
import { CannotRun, Usage } from "../Problem.ts"
import { plain } from "../terminal/Screen.ts"

export interface Address {
  readonly host: string
  readonly port: number
}

export const textOf = ({ host, port }: Address): string => `${host.includes(":") ? `[${host}]` : host}:${port}`

/** "host:port", "[::1]:port", or a port of this machine. */
export const addressOf = (text: string): Effect.Effect<Address, Usage> => {
  const [, brackets, name, digits] = /^(?:(?:\[([\da-fA-F:.]+)\]|([^\s:/[\]]*)):)?(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  return port >= 1 && port <= 65_535
    ? Effect.succeed({ host: brackets ?? (name || "127.0.0.1"), port })
    : Effect.fail(new Usage({ reason: `--connect ${text}: expected an address, as in localhost:9100` }))
}

/** How long an inspector may take to answer. */
const patienceMillis = 3_000

const decode = Schema.decodeUnknownEffect(Inspector.Snapshot)

/** Of what it answers. */
const mostBytes = 16 * 1024 * 1024

interface Answer {
  readonly status: number | undefined
  readonly body: string
}

/** Over a connection of its own: one that is kept may be dead by the next look. */
const asked = ({ host, port }: Address, path: string): Effect.Effect<Answer, NodeJS.ErrnoException> =>
  Effect.callback((resume) => {
    const asking = get({ host, port, path, agent: false }, (response) => {
      let body = ""
      response.setEncoding("utf8")
      response.on("data", (chunk: string) => {
        body += chunk
        if (body.length > mostBytes) asking.destroy(new Error("it says too much"))
      })
      response.on("end", () => resume(Effect.succeed({ status: response.statusCode, body })))
      response.on("error", (error) => resume(Effect.fail(error)))
    })
    asking.on("error", (error) => resume(Effect.fail(error)))
    return Effect.sync(() => void asking.destroy())
  })

export const look = (
  address: Address,
  order: Inspector.Order,
  limit: number
): Effect.Effect<Inspector.Snapshot, CannotRun> =>
  Effect.gen(function* () {
    const { body, status } = yield* asked(address, `/system?order=${order}&limit=${limit}`).pipe(
      Effect.timeout(patienceMillis),
      Effect.mapError((error) => new CannotRun({ reason: `${textOf(address)}: ${whyNot(error)}` }))
    )
    const value = yield* Effect.try({ try: (): unknown => JSON.parse(body), catch: () => noInspector(address) })
    if (status === 200) return yield* Effect.mapError(decode(value), () => noInspector(address))
    const { error } = (value ?? {}) as { readonly error?: unknown }
    return yield* typeof error === "string"
      ? new CannotRun({ reason: `${textOf(address)} refuses: ${plain(error)}.` })
      : noInspector(address)
  })

const noInspector = (address: Address): CannotRun =>
  new CannotRun({ reason: `${textOf(address)} answers, and is no inspector of this version.` })

const whyNot = (error: Cause.TimeoutError | NodeJS.ErrnoException): string => {
  if (Cause.isTimeoutError(error)) return `it has not answered within ${patienceMillis / 1000} seconds.`
  switch (error.code) {
    case "ECONNREFUSED":
      return "nobody listens there. A system is seen through the layer of `@troupe/actor/Inspector`."
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "there is no machine of that name."
    default:
      return `it cannot be reached (${error.code ?? error.message}).`
  }
}
