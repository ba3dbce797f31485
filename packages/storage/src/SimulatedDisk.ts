/**
 * Disks that fail as real ones do, from a seed, in memory and on Effect's `Clock`.
 *
 * The code that keeps logs on them is that of `@troupe/storage/Disk`, over a simulated file system. A crash loses what was
 * not synced: all of it, none, or some of its sectors, in any order; the names of a directory from some moment on. A disk
 * outlives the programs that use it: whoever builds its layer while an earlier life has not closed it comes after a crash,
 * and the earlier life gets no answer any more. So build it once a life, and hand it to all who need it.
 *
 * In a simulation, make the disks beside the run, one value a run, and give each node its layer:
 *
 * @example
 * import { Actor, type Protocol } from "@troupe/actor"
 * import { Simulation } from "@troupe/simulation"
 * import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
 * import { Effect, Layer, Schema } from "effect"
 *
 * const counter: Protocol.Protocol<number, never, "tick", number, never, void, number> = {
 *   name: "demo/durable-counter",
 *   message: Schema.Never,
 *   durable: { record: Schema.Int, restore: (count) => count + 1 },
 *   init: () => 0,
 *   onCommand: (count, _tick, act) => {
 *     act.persist(1)
 *     act.emit(count + 1)
 *     return count + 1
 *   },
 *   onMessage: (count) => count
 * }
 *
 * const disks = SimulatedDisk.make({ seed: 1 })
 * let told = 0
 * const result = await Effect.runPromise(Simulation.run({
 *   seed: 1,
 *   nodes: ["n1"],
 *   program: (node) => Effect.gen(function*() {
 *     // Built into the node's scope, so that the disk is open as long as the node lives.
 *     const disk = yield* Layer.build(disks.layer(node))
 *     const actor = yield* Effect.provide(Actor.spawnDurable(counter), disk)
 *     if (actor.state() < told) return yield* Effect.die("it forgot what it told")
 *     actor.subscribe((count) => (told = count))
 *     for (;;) {
 *       actor.tell("tick")
 *       yield* Effect.sleep("1 millis")
 *     }
 *   }),
 *   duration: "1 second",
 *   scheduled: [{ _tag: "Crash", node: "n1", atMillis: 500, forMillis: 100 }]
 * }))
 * console.log(result.violations, told > 400) // [] true
 */
import { Effect, Layer } from "effect"
import * as DiskStorage from "./internal/DiskStorage.ts"
import type { Files, FilesError, OpenFile } from "./internal/Files.ts"
import { type Content, Platter } from "./internal/Platter.ts"
import { Prng } from "./internal/Prng.ts"
import { Storage } from "./Storage.ts"

export interface Options {
  /** A whole number. */
  readonly seed: number
  /** How long it takes to make something durable: uniform between the two. Default: 0.1 to 0.3 ms. */
  readonly syncMillisMin?: number
  readonly syncMillisMax?: number
  /** Of each write, and of each sync, that it fails. Default: 0. */
  readonly failureProbability?: number
  /** Of each disk, which is full then. Default: no bound. */
  readonly capacityBytes?: number
  /** As of `Disk`. Default: 64 KiB. */
  readonly segmentBytes?: number
  /** As of `Disk`. Default: 4 KiB. */
  readonly preallocateBytes?: number
}

export interface Disks {
  /** Storage on the disk of that name, new and empty at first. */
  readonly layer: (name: string) => Layer.Layer<Storage>
  readonly disk: (name: string) => SimulatedDisk
}

/** A disk in the hands of a test. */
export interface SimulatedDisk {
  readonly layer: Layer.Layer<Storage>
  /** Full, in bytes. Change it as you like. */
  capacityBytes: number
  /** What fails from now on. `syncs silently`: it says that they succeeded, as disks do that lie about their cache. */
  failing: "nothing" | "writes" | "syncs" | "syncs silently"
  /** How many operations there were: each is a moment at which it can crash. */
  readonly operations: number
  /** From the operation of this number on nothing is done any more, and nobody is told, until the layer is built again. */
  crashAt: number
  readonly paths: ReadonlyArray<string>
  readonly sizeOf: (path: string) => number
  /** Turns over a bit of what is durable; they are counted from the start of the file. */
  readonly flipBit: (path: string, bit: number) => void
  readonly byteAt: (path: string, at: number) => number
  /** Takes a file away, for good. */
  readonly remove: (path: string) => void
}

export const make = (options: Options): Disks => {
  const disks = new Map<string, SimulatedDisk>()
  const disk = (name: string): SimulatedDisk => {
    let found = disks.get(name)
    if (found === undefined) disks.set(name, (found = new Spindle(options, name)))
    return found
  }
  return { disk, layer: (name) => Layer.suspend(() => disk(name).layer) }
}

/** From one building of the layer to the next one. What is under way when it is closed ends, as on any disk. */
interface Life {
  isClosed: boolean
  isOver: boolean
}

class Spindle implements SimulatedDisk {
  capacityBytes: number
  failing: "nothing" | "writes" | "syncs" | "syncs silently" = "nothing"
  operations = 0
  crashAt = Infinity
  private readonly options: Options
  private readonly prng: Prng
  private readonly platter = new Platter()
  private life: Life = { isClosed: true, isOver: true }

  constructor(options: Options, name: string) {
    this.options = options
    this.capacityBytes = options.capacityBytes ?? Infinity
    this.prng = new Prng(options.seed, `disk/${name}`)
  }

  get layer(): Layer.Layer<Storage> {
    const { preallocateBytes = 4096, segmentBytes = 65_536 } = this.options
    return Layer.effect(
      Storage,
      Effect.gen({ self: this }, function* () {
        const life = yield* Effect.acquireRelease(
          Effect.sync(() => this.begin()),
          (begun) => Effect.sync(() => (begun.isClosed = true))
        )
        const fork = Effect.runForkWith(yield* Effect.context<never>())
        return DiskStorage.make(this.files(life, fork), { segmentBytes, preallocateBytes })
      })
    )
  }

  get paths(): ReadonlyArray<string> {
    return this.platter.paths
  }

  sizeOf(path: string): number {
    return this.platter.find(path)?.size ?? 0
  }

  flipBit(path: string, bit: number): void {
    this.platter.find(path)?.flip(bit)
  }

  byteAt(path: string, at: number): number {
    return this.platter.find(path)?.read(at, 1)[0] ?? 0
  }

  remove(path: string): void {
    this.platter.remove(path)
    this.platter.syncDirectory(path.slice(0, path.lastIndexOf("/")))
  }

  private begin(): Life {
    const { isClosed } = this.life
    this.life.isOver = true
    if (!isClosed) {
      this.platter.crash(this.prng)
      this.crashAt = Infinity
    }
    return (this.life = { isClosed: false, isOver: false })
  }

  /** Does something at an instant; never in a life that is over. */
  private operate<A>(life: Life, run: () => Effect.Effect<A, FilesError>): Effect.Effect<A, FilesError> {
    return Effect.suspend(() => {
      if (life.isOver || this.operations >= this.crashAt) return Effect.never
      this.operations++
      return run()
    })
  }

  private write(content: Content, bytes: Uint8Array, at: number): Effect.Effect<void, FilesError> {
    const room = Math.max(0, this.capacityBytes - this.platter.bytes + content.size - at)
    if (this.fails("writes")) {
      // A disk writes sectors whole or not at all.
      const end = at + this.prng.below(bytes.length + 1)
      content.write(bytes.subarray(0, Math.max(0, end - (end % 512) - at)), at)
      return Effect.fail({ full: false, detail: "EIO: the write failed" })
    }
    content.write(bytes.subarray(0, room), at)
    return room < bytes.length ? Effect.fail({ full: true, detail: "ENOSPC: no space left on device" }) : Effect.void
  }

  private fails(what: "writes" | "syncs"): boolean {
    return this.failing === what || this.prng.chance(this.options.failureProbability ?? 0)
  }

  /** Takes its time, and is done at the end of it. */
  private sync(life: Life, run: () => void, failed: () => void): Effect.Effect<void, FilesError> {
    const { syncMillisMax = 0.3, syncMillisMin = 0.1 } = this.options
    const millis = syncMillisMin + this.prng.next() * (syncMillisMax - syncMillisMin)
    const synced = this.operate(life, () => {
      if (this.fails("syncs")) {
        failed()
        return Effect.fail({ full: false, detail: "EIO: the sync failed" })
      }
      return this.failing === "syncs silently" ? Effect.void : Effect.sync(run)
    })
    return millis > 0 ? Effect.andThen(Effect.sleep(millis), synced) : synced
  }

  private files(life: Life, fork: (effect: Effect.Effect<void>) => void): Files {
    const { platter } = this
    return {
      list: (directory) => Effect.sync(() => platter.list(directory)),
      makeDirectory: () => Effect.void,
      syncDirectory: (directory) =>
        Effect.suspend(() =>
          this.sync(
            life,
            () => platter.syncDirectory(directory),
            () => {}
          )
        ),
      rename: (from, to) => this.operate(life, () => Effect.sync(() => platter.rename(from, to))),
      remove: (path) => this.operate(life, () => Effect.sync(() => platter.remove(path))),
      open: (path, create) =>
        this.operate(life, () => {
          const content = create ? platter.create(path) : platter.find(path)
          return content === undefined
            ? Effect.fail({ full: false, detail: `ENOENT: no such file "${path}"` })
            : Effect.succeed(this.openFile(life, content, fork))
        }),
      soon: (run) => fork(Effect.andThen(Effect.yieldNow, Effect.sync(run)))
    }
  }

  private openFile(life: Life, content: Content, fork: (effect: Effect.Effect<void>) => void): OpenFile {
    const sync = Effect.suspend(() =>
      this.sync(
        life,
        () => content.sync(),
        () => content.syncFailed()
      )
    )
    const write = (bytes: Uint8Array, at: number): Effect.Effect<void, FilesError> =>
      this.operate(life, () => this.write(content, bytes, at))
    return {
      size: Effect.sync(() => content.size),
      read: (at, length) => Effect.sync(() => content.read(at, length)),
      write,
      sync,
      truncate: (size) => this.operate(life, () => Effect.sync(() => content.truncate(size))),
      commit: (bytes, at, done) =>
        fork(
          Effect.match(Effect.andThen(write(bytes, at), sync), {
            onFailure: (error) => done(error),
            onSuccess: () => done(undefined)
          })
        ),
      close: Effect.void
    }
  }
}
