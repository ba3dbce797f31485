/** What operators meet: the configuration, the HTTP port, TCP between nodes, TLS to clients. */
import { MemoryStorage } from "@troupe/storage"
import { Memory } from "@troupe/transport"
import { Effect } from "effect"
import { Redis } from "ioredis"
import { readFileSync } from "node:fs"
import { type AddressInfo, connect, createServer } from "node:net"
import { describe, expect, it } from "vitest"
import * as Cluster from "../src/Cluster.ts"
import * as ClusterConfig from "../src/Config.ts"
import * as Connection from "../src/Connection.ts"
import * as Http from "../src/Http.ts"
import * as Node from "../src/Node.ts"
import { quiet, serve, startCluster, withServer } from "./harness.ts"

const node = (id: string, port: number) => ({ id, peer: `127.0.0.1:${port}`, port: port + 1 })
const valid = { cluster: "shop", replication: "passive", nodes: [node("n1", 7000), node("n2", 7100)] }

const problem = (config: unknown): Promise<string> =>
  Effect.runPromise(
    Effect.map(
      Effect.flip(ClusterConfig.parse("cluster.json", typeof config === "string" ? config : JSON.stringify(config))),
      ({ message }) => message
    )
  )

describe("a configuration", () => {
  it("is read as it is", async () => {
    expect(await Effect.runPromise(ClusterConfig.parse("cluster.json", JSON.stringify(valid)))).toEqual(valid)
  })

  it("may have the same ports and directories on several machines", async () => {
    const alike = { port: 6380, http: 8380, data: "./data" }
    const nodes = ["10.0.0.1", "10.0.0.2"].map((host, index) => ({ id: `n${index}`, peer: `${host}:7000`, ...alike }))
    const config = { ...valid, nodes }
    expect(await Effect.runPromise(ClusterConfig.parse("cluster.json", JSON.stringify(config)))).toEqual(config)
  })

  const refused: Array<readonly [name: string, config: unknown, says: string]> = [
    ["that is no JSON", "{", "cluster.json"],
    ["without nodes", { ...valid, nodes: [] }, "nodes"],
    ["with a word that means nothing", { ...valid, paswort: "x" }, "paswort"],
    ["with a port that is none", { ...valid, nodes: [{ ...node("n1", 7000), port: 70_000 }] }, "port"],
    ["with a way of replicating that there isn't", { ...valid, replication: "magic" }, "replication"],
    [
      "with two nodes of one id",
      { ...valid, nodes: [node("n1", 7000), node("n1", 7100)] },
      'nodes[0] and nodes[1] have one id "n1". Give each its own'
    ],
    [
      "with two nodes at one address",
      { ...valid, nodes: [node("n1", 7000), node("n2", 7000)] },
      "nodes[0] and nodes[1] have one address 127.0.0.1:7000. Give each its own"
    ],
    [
      "with two nodes in one directory",
      { ...valid, nodes: valid.nodes.map((each) => ({ ...each, data: "d" })) },
      'nodes[0] and nodes[1] have one data directory "d" on this machine. Give each its own'
    ],
    [
      "with two nodes of one machine that have one port for clients",
      { ...valid, nodes: valid.nodes.map((each) => ({ ...each, port: 6380 })) },
      "nodes[0] and nodes[1] have one address 127.0.0.1:6380 on this machine. Give each its own"
    ]
  ]
  const peerTls = { cert: "n1.pem", key: "n1.key", ca: "ca.pem" }
  refused.push(
    [
      "whose nodes talk by TLS in part",
      { ...valid, nodes: [{ ...valid.nodes[0], peerTls }, valid.nodes[1]] },
      "nodes[1] has no peerTls, and others have. Give it to all nodes, or to none"
    ],
    ["with a certificate that has no key", { ...valid, tls: { cert: "cert.pem" } }, "key"],
    ["with a bound that is none", { ...valid, limits: { maxClients: 0 } }, "maxClients"],
    ["with a bound that means nothing", { ...valid, limits: { maxClient: 1 } }, "maxClient"]
  )
  for (const [name, config, says] of refused) {
    it(`${name} is refused, and says why`, async () => expect(await problem(config)).toContain(says))
  }

  it("without this process's node is refused", async () => {
    const config = await Effect.runPromise(ClusterConfig.parse("cluster.json", JSON.stringify(valid)))
    const error = await Effect.runPromise(Effect.flip(ClusterConfig.find("cluster.json", config, "n9")))
    expect(error.message).toBe('cluster.json: there is no node "n9" in it: it has n1, n2')
  })
})

describe("the HTTP port", () => {
  it("tells health, readiness, metrics and the cluster, and shows a page", async () => {
    const cluster = await startCluster({ nodes: 3, transport: "memory" })
    const redis = new Redis(cluster.nodes[0]!.server.port)
    await redis.set("a", "1")
    await Effect.runPromise(
      Effect.scoped(
        Effect.flatMap(
          Http.serve(() => cluster.nodes, { port: 0 }),
          (port) =>
            Effect.promise(async () => {
              const ask = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${port}${path}`)
              expect(await (await ask("/health")).text()).toBe("ok\n")
              expect(await (await ask("/ready")).json()).toEqual({ ready: true, waiting: [] })
              const { nodes } = (await (await ask("/cluster")).json()) as { readonly nodes: ReadonlyArray<unknown> }
              expect(nodes[0]).toMatchObject({
                id: "n1",
                members: ["n1", "n2", "n3"],
                keys: 1,
                counters: { connected: 1 }
              })
              const metrics = await (await ask("/metrics")).text()
              expect(metrics).toMatch(/troupe_kv_clients_connected\{node="n1"\} 1\n/)
              expect(metrics).toMatch(/troupe_kv_keys\{node="n1"\} 1\n/)
              expect(await (await ask("/")).text()).toContain("Troupe KV")
              expect((await ask("/nosuch")).status).toBe(404)
            })
        )
      )
    )
    redis.disconnect()
    await cluster.stop()
  })
})

describe("the HTTP port that is in use", () => {
  it("is named, and what to do", () =>
    withServer(async ({ port }) => {
      const failed = await Effect.runPromise(Effect.scoped(Effect.flip(Http.serve(() => [], { port }))))
      expect(failed.message).toBe(
        `The port of the status page cannot be opened: 127.0.0.1:${port} is in use. Choose another port`
      )
    }))
})

describe("nodes over TCP", () => {
  it("carry bytes as they are, and large values", async () => {
    const cluster = await startCluster({ nodes: 3, transport: "tcp" })
    const [one, other] = [new Redis(cluster.nodes[1]!.server.port), new Redis(cluster.nodes[2]!.server.port)]
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    await one.set("bytes", bytes)
    expect(await other.getBuffer("bytes")).toEqual(bytes)
    const large = Buffer.alloc(4 * 1024 * 1024, 0xff)
    expect(await one.set("large", large)).toBe("OK")
    expect((await other.getBuffer("large"))!.equals(large)).toBe(true)
    one.disconnect()
    other.disconnect()
    await cluster.stop()
  })
})

const pem = (name: string): string =>
  readFileSync(new URL(`../../../packages/transport/test/fixtures/${name}.pem`, import.meta.url), "utf8")

describe("nodes with certificates", () => {
  it("know each other by them, and nobody else", async () => {
    const ports = await Promise.all([freePort(), freePort(), freePort()])
    const ids = ["n1", "n2", "stranger"]
    const nodes = ids.map((id, index) => ({ id, peer: `127.0.0.1:${ports[index]}`, port: 0 }))
    const config: ClusterConfig.ClusterConfig = { cluster: "shop", replication: "passive", nodes }
    const answers = Effect.gen(function* () {
      const [first, second, stranger] = yield* Effect.forEach(nodes, (own) =>
        Cluster.startOne(config, own, {}, { cert: pem(`${own.id}.cert`), key: pem(`${own.id}.key`), ca: pem("ca") })
      )
      const ask = yield* Connection.local(second!.replicated)
      yield* ask("SET", "a", "1")
      const { applied } = yield* stranger!.replicated.status
      return [yield* (yield* Connection.local(first!.replicated))("GET", "a"), applied]
    })
    // The stranger's certificate is signed by somebody else: two of three go on without it.
    expect(await Effect.runPromise(Effect.scoped(Effect.provide(answers, quiet)))).toEqual([
      { _tag: "Bulk", bytes: "1" },
      0
    ])
  })
})

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

describe("data", () => {
  it("of a newer format is refused, and left as it is", async () => {
    const store = MemoryStorage.make()
    const identity = JSON.stringify({ format: Node.format + 1, cluster: "local", node: "n1", replication: "passive" })
    store.cells.set("kv/identity", new TextEncoder().encode(identity))
    const refused = await Effect.runPromise(
      Effect.scoped(
        Effect.flip(
          Cluster.startReplica(
            { id: "n1", replication: "passive" },
            Memory.layer(Memory.network({ nodes: ["n1"] }), "n1"),
            MemoryStorage.layer(store)
          )
        )
      )
    )
    expect(refused.message).toContain(
      `its format is ${Node.format + 1}, and this version knows ${Node.format}. Nothing was changed`
    )
    expect(store.logs.size).toBe(0)
  })
})

describe("WAIT", () => {
  const told = async (replication: "passive" | "naive"): Promise<unknown> => {
    const cluster = await startCluster({ nodes: 5, transport: "memory", replication })
    const redis = new Redis(cluster.nodes[1]!.server.port)
    await redis.set("a", "1")
    const count = await redis.wait(4, 1000)
    redis.disconnect()
    await cluster.stop()
    return count
  }

  it("tells of a majority, besides one, where that is what an answer stands on: more may be away", async () => {
    expect(await told("passive")).toBe(2)
  })

  it("tells of nobody where nobody was waited for", async () => {
    expect(await told("naive")).toBe(0)
  })
})

describe("a cluster that stops", () => {
  it("does not wait for clients that have been answered and stay", async () => {
    const cluster = await startCluster({ nodes: 3, transport: "memory" })
    const idle = cluster.nodes.map(({ server }) => connect({ port: server.port, allowHalfOpen: true }))
    const heard = await Promise.all(
      idle.map((socket) => new Promise((resolve) => socket.once("data", resolve).write("PING\r\n")))
    )
    expect(heard.join("")).toBe("+PONG\r\n".repeat(3))
    const before = performance.now()
    await cluster.stop()
    expect(performance.now() - before).toBeLessThan(2_000)
    for (const socket of idle) socket.destroy()
  })
})

describe("a server with a certificate", () => {
  it("serves who speaks TLS", () =>
    withServer(
      async ({ port }) => {
        const redis = new Redis(port, { tls: { ca: pem("ca"), checkServerIdentity: () => undefined } })
        expect(await redis.set("a", "1")).toBe("OK")
        expect(await redis.get("a")).toBe("1")
        redis.disconnect()
      },
      { tls: { cert: pem("n1.cert"), key: pem("n1.key") } }
    ))

  it("is refused at the start when that is none", async () => {
    const failed = await Effect.runPromise(Effect.scoped(Effect.flip(serve({ tls: { cert: "x", key: "y" } }))))
    expect(failed.message).toContain("tls: ")
  })
})
