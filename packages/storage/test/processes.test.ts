import { Storage } from "@troupe/storage"
import * as Disk from "@troupe/storage/Disk"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { judge, killAfter, start } from "./processes.ts"
import { temporary } from "./support.ts"

const within = <A>(use: (directory: string) => Promise<A>): Promise<A> =>
  Effect.runPromise(Effect.scoped(Effect.flatMap(temporary, (directory) => Effect.promise(() => use(directory)))))

const open = (directory: string) => Effect.runPromise(Effect.flip(Effect.provide(Storage, Disk.layer({ directory }))))

describe("a process that is killed at any instant", () => {
  it("leaves all that it was told is durable, five times over", { timeout: 60_000 }, () =>
    within(async (directory) => {
      for (let kill = 0; kill < 5; kill++) {
        expect(await killAfter(directory, kill * 23), `kill ${kill}`).toEqual([])
      }
    })
  )
})

describe("a directory", () => {
  it("belongs to one process, which the others are told, until that is killed", { timeout: 30_000 }, () =>
    within(async (directory) => {
      const writer = start(directory)
      await writer.line("open")
      const refused = await open(directory)
      expect(refused.message).toContain(`process ${writer.child.pid} has it open`)
      const other = start(directory)
      expect(await other.line("failed")).toContain("StorageInUse")
      await other.ended
      writer.child.kill("SIGKILL")
      await writer.ended
      expect(await judge(directory, writer.lines)).toEqual([])
    })
  )

  it("belongs to one layer of a process", () =>
    within((directory) =>
      Effect.runPromise(
        Effect.gen(function* () {
          yield* Storage
          const refused = yield* Effect.flip(Effect.provide(Storage, Disk.layer({ directory })))
          expect(refused.message).toContain("this process has it open")
        }).pipe(Effect.provide(Disk.layer({ directory })))
      )
    ))

  it("that cannot be made is refused", async () => {
    const failure = await open("/dev/null/storage")
    expect(failure._tag).toBe("StorageFailed")
  })
})

describe.skipIf(process.platform === "win32")(
  "a limit on the size of files (skipped on Windows, which has none)",
  () => {
    it("is met as a full disk, and nothing that was durable is lost", { timeout: 30_000 }, () =>
      within(async (directory) => {
        const writer = start(directory, 90)
        expect(await writer.line("failed")).toContain("StorageFull")
        await writer.ended
        expect(await judge(directory, writer.lines)).toEqual([])
        expect(await killAfter(directory, 20)).toEqual([])
      })
    )
  }
)
