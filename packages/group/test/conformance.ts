/** What every multicast of this package has to keep: see `worlds.ts`. */
import { describe, expect, it } from "vitest"
import { explain, overMemory, overSockets, search, type Shape, type Subject, type World } from "./worlds.ts"

export * from "./worlds.ts"

/** Declares the tests of a layer: these worlds, so many seeds each, and real sockets. */
export const conforms = (
  subject: Subject,
  options: Shape & {
    readonly worlds: ReadonlyArray<World>
    readonly seeds: number
    /** Default: TCP. */
    readonly sockets?: ReadonlyArray<"tcp" | "udp">
  }
): void => {
  const { seeds, sockets = ["tcp"], worlds, ...shape } = options
  describe(`${subject.name} is ${subject.guarantees.join(", ")}`, () => {
    for (const world of worlds) {
      it(`in ${seeds} worlds: ${world}`, async () => {
        expect(explain(await search(subject, world, seeds, shape))).toBe("nothing")
      })
    }
    it("and its messages arrive whole where each goes through a codec", async () => {
      expect(explain(await overMemory(subject, shape))).toBe("nothing")
    })
    for (const kind of sockets) {
      it(`over ${kind}, on this machine`, async () => {
        expect(explain(await overSockets(subject, kind, shape))).toBe("nothing")
      })
    }
  })
}
