/** The nodes: processes of `troupe kv node` on disks of their own, which reach each other by way of proxies. */
import { Effect, type Scope } from "effect"
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { createWriteStream, mkdirSync, type WriteStream, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Links from "./Links.ts"
import { variable } from "./ShiftedClock.ts"

const troupe = fileURLToPath(new URL("../../bin/troupe.js", import.meta.url))

/** How a node says that it stands; of its HTTP port. */
export interface Status {
  readonly role: string
  readonly view: number
  readonly primary?: string
  readonly applied: number
}

/** How long a node may take to say how it stands. */
const patienceMillis = 500

export class Process {
  readonly id: string
  readonly port: number
  private readonly http: number
  private readonly config: string
  private readonly clockFile: string
  private readonly log: WriteStream
  private child: ChildProcess | undefined
  /** Whether it has no room: then it may end by itself, if it was only starting. */
  private isFull = false
  /** What ended without having been told to, and how. */
  readonly deaths: Array<string> = []

  constructor(id: string, port: number, http: number, files: { readonly config: string; readonly directory: string }) {
    this.id = id
    this.port = port
    this.http = http
    this.config = files.config
    this.clockFile = join(files.directory, `${id}.clock`)
    this.log = createWriteStream(join(files.directory, `${id}.log`), { flags: "a" })
  }

  get isRunning(): boolean {
    return this.child !== undefined
  }

  readonly start: Effect.Effect<void> = Effect.sync(() => {
    if (this.child !== undefined) return
    // In a group of its own: what is typed in the terminal is not for it.
    const child = spawn(process.execPath, [troupe, "kv", "node", "--id", this.id, "--config", this.config], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: { ...process.env, [variable]: this.clockFile },
      detached: true
    })
    this.child = child
    this.isFull = false
    child.stdout!.pipe(this.log, { end: false })
    child.stderr!.pipe(this.log, { end: false })
    child.once("exit", (code, signal) => {
      if (this.child !== child) return
      this.child = undefined
      if (!this.isFull) this.deaths.push(`${this.id} ended by itself, ${signal ?? `exit code ${code}`}`)
    })
  })

  /** At once; what it does not know to be on disk is lost. */
  readonly kill: Effect.Effect<void> = Effect.callback((resume) => {
    const { child } = this
    this.child = undefined
    if (child === undefined) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

  readonly pause: Effect.Effect<void> = Effect.sync(() => void this.child?.kill("SIGSTOP"))
  readonly resume: Effect.Effect<void> = Effect.sync(() => void this.child?.kill("SIGCONT"))

  /** From now on the system refuses every byte beyond a file's first ones. Only Linux can be asked for that from outside. */
  readonly fill: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.child?.pid === undefined) return resume(Effect.void)
    this.isFull = true
    execFile("prlimit", ["--pid", `${this.child.pid}`, "--fsize=0:"], () => resume(Effect.void))
  })

  setClock(offsetMillis: number): Effect.Effect<void> {
    return Effect.sync(() => writeFileSync(this.clockFile, `${offsetMillis}`))
  }

  /** Nothing where it does not say. */
  readonly status: Effect.Effect<Status | undefined> = Effect.promise(async () => {
    if (this.child === undefined) return undefined
    try {
      const answer = await fetch(`http://127.0.0.1:${this.http}/cluster`, {
        signal: AbortSignal.timeout(patienceMillis)
      })
      const { nodes } = (await answer.json()) as { readonly nodes: ReadonlyArray<Status> }
      return nodes[0]
    } catch {
      return undefined
    }
  })

  /** Whatever it is doing. */
  readonly end = (): void => {
    this.child?.kill("SIGKILL")
    this.child = undefined
  }
}

export interface Cluster {
  readonly nodes: ReadonlyArray<Process>
  readonly links: Links.Links
}

export interface Options {
  readonly nodes: number
  readonly replication: string
  /** For data, configurations and logs. */
  readonly directory: string
}

/** Nodes that are being started; they are killed when the scope ends. */
export const start = (options: Options): Effect.Effect<Cluster, never, Scope.Scope> =>
  Effect.gen(function* () {
    const ids = Array.from({ length: options.nodes }, (_, index) => `n${index + 1}`)
    const free = yield* Effect.promise(() => freePorts(ids.length * 3))
    const ports = new Map(ids.map((id, index) => [id, free[index * 3]!]))
    const links = yield* Links.open(ports)
    mkdirSync(join(options.directory, "data"), { recursive: true })
    const nodes = ids.map((id, index) => {
      const config = join(options.directory, `${id}.json`)
      writeFileSync(config, JSON.stringify(configOf(id, ids, ports, free, links, options), undefined, 2))
      return new Process(id, free[index * 3 + 1]!, free[index * 3 + 2]!, { config, directory: options.directory })
    })
    const end = (): void => nodes.forEach((node) => node.end())
    yield* Effect.acquireRelease(
      Effect.sync(() => process.once("exit", end)),
      () =>
        Effect.sync(() => {
          process.off("exit", end)
          end()
        })
    )
    yield* Effect.forEach(nodes, (node) => Effect.andThen(node.setClock(0), node.start), { discard: true })
    return { nodes, links }
  })

/** As this node sees the cluster: the others by way of its proxies. */
const configOf = (
  self: string,
  ids: ReadonlyArray<string>,
  ports: ReadonlyMap<string, number>,
  free: ReadonlyArray<number>,
  links: Links.Links,
  { directory, replication }: Options
) => ({
  cluster: "torture",
  replication,
  nodes: ids.map((id, index) => ({
    id,
    peer: id === self ? `127.0.0.1:${ports.get(id)}` : links.address(self, id),
    port: free[index * 3 + 1],
    http: free[index * 3 + 2],
    data: join(directory, "data", id)
  }))
})

/** How the nodes stand. */
export interface Standing {
  /** Whoever leads, by who has seen the latest view; where nobody does, nobody. */
  readonly primary: string | undefined
  readonly serving: ReadonlySet<string>
}

/** Roles in which a node serves. */
const servingRoles = new Set(["primary", "backup", "replica"])

export const standingOf = ({ nodes }: Cluster): Effect.Effect<Standing> =>
  Effect.map(
    Effect.forEach(nodes, (node) => Effect.map(node.status, (status) => ({ id: node.id, status })), {
      concurrency: "unbounded"
    }),
    (all) => {
      const leading = all.filter(({ status }) => status?.role === "primary")
      return {
        primary: leading.toSorted((a, b) => b.status!.view - a.status!.view)[0]?.id,
        serving: new Set(all.filter(({ status }) => servingRoles.has(status?.role ?? "")).map(({ id }) => id))
      }
    }
  )

/** Nodes that do not serve: none, as soon as all do; those that have ended, at once. */
export const awaitAll = (cluster: Cluster, forMillis: number): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function* () {
    const { nodes } = cluster
    const until = performance.now() + forMillis
    for (;;) {
      const { serving } = yield* standingOf(cluster)
      const missing = nodes.filter(({ id }) => !serving.has(id)).map(({ id }) => id)
      const ended = nodes.filter(({ isRunning }) => !isRunning).map(({ id }) => id)
      if (ended.length > 0) return ended
      if (missing.length === 0 || performance.now() > until) return missing
      yield* Effect.sleep(100)
    }
  })

/** None is of the range that the system hands to outgoing connections: a node that is down finds its port free. */
export const freePorts = async (count: number): Promise<ReadonlyArray<number>> => {
  const found: Array<number> = []
  for (let port = 10_000 + ((process.pid * 64) % 20_000); found.length < count; port++) {
    if (await isFree(port)) found.push(port)
  }
  return found
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once("error", () => resolve(false))
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)))
  })
