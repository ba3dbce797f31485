/** The inspector's own server: for who reads, from this machine or by an address. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { isIP } from "node:net"
import { Effect, Schema, type Scope } from "effect"

/** The port cannot be had. */
export class InspectorFailed extends Schema.TaggedError<InspectorFailed>()("InspectorFailed", {
  reason: Schema.String
}) {
  override get message(): string {
    return `The inspector cannot listen: ${this.reason}`
  }
}

export interface Page {
  readonly status: number
  readonly type: string
  readonly body: string
}

export interface Serving {
  readonly host: string
  readonly port: number
  readonly hosts: ReadonlyArray<string>
}

export const serve = (
  { host, hosts, port }: Serving,
  answer: (path: string) => Page
): Effect.Effect<{ readonly host: string; readonly port: number }, InspectorFailed, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(listening(createServer(handler(hosts, answer)), host, port), (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
    ),
    (server) => {
      const address = server.address()
      return { host, port: typeof address === "object" && address !== null ? address.port : port }
    }
  )

const listening = (server: Server, host: string, port: number): Effect.Effect<Server, InspectorFailed> =>
  Effect.callback((resume) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === "EADDRINUSE"
      const reason = isTaken ? `${host}:${port} is in use. Choose another port` : error.message
      resume(Effect.fail(new InspectorFailed({ reason })))
    })
    server.listen(port, host, () => resume(Effect.succeed(server)))
  })

const handler =
  (hosts: ReadonlyArray<string>, answer: (path: string) => Page) =>
  (request: IncomingMessage, response: ServerResponse): void => {
    const { body, status, type } = pageOf(hosts, answer, request)
    response.writeHead(status, {
      "content-type": type,
      "content-length": Buffer.byteLength(body),
      "cache-control": "no-store",
      "x-content-type-options": "nosniff"
    })
    response.end(request.method === "HEAD" ? undefined : body)
    // What it sends besides is not read.
    request.resume()
  }

const pageOf = (hosts: ReadonlyArray<string>, answer: (path: string) => Page, request: IncomingMessage): Page => {
  const given = request.headers.host ?? ""
  if (!isAllowed(given, hosts)) {
    return refusal(403, `"${given}" is none of the names of this inspector. Name it in \`hosts\`, or use its address`)
  }
  if (request.method !== "GET" && request.method !== "HEAD") return refusal(405, "an inspector is only read: use GET")
  try {
    return answer(request.url ?? "/")
  } catch (error) {
    return refusal(400, String(error))
  }
}

export const refusal = (status: number, error: string): Page => json(status, { error })

export const json = (status: number, value: unknown): Page => ({
  status,
  type: "application/json; charset=utf-8",
  body: JSON.stringify(value)
})

/** A page of elsewhere, whose name is made to lead here, is not to read this: it asks by that name. */
const isAllowed = (given: string, hosts: ReadonlyArray<string>): boolean => {
  const name = given
    .replace(/:\d+$/, "")
    .replace(/^\[(.*)\]$/, "$1")
    .toLowerCase()
  return name === "localhost" || isIP(name) !== 0 || hosts.some((host) => host.toLowerCase() === name)
}
