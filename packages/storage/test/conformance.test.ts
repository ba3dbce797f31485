import { MemoryStorage } from "@troupe/storage"
import * as Disk from "@troupe/storage/Disk"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { conformance, type StorageMaker } from "@troupe/storage/testing"
import { Effect } from "effect"
import { describe, it } from "vitest"
import { temporary } from "./support.ts"

const makers: Readonly<Record<string, StorageMaker>> = {
  memory: Effect.sync(() => MemoryStorage.layer(MemoryStorage.make())),
  "a simulated disk": Effect.sync(() => SimulatedDisk.make({ seed: 1, segmentBytes: 8192 }).layer("disk")),
  "a disk": Effect.map(temporary, (directory) => Disk.layer({ directory, segmentBytes: 16_384 })),
  "a disk without room ahead": Effect.map(temporary, (directory) => Disk.layer({ directory, preallocateBytes: 0 }))
}

for (const [name, make] of Object.entries(makers)) {
  describe(`storage in ${name}`, () => {
    for (const rule of conformance) it(rule.name, () => Effect.runPromise(Effect.scoped(rule.run(make))))
  })
}
