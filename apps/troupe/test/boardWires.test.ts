/** The wires of the bulletin board are cut as wires are: connections end, and none can be made until they are mended. */
import { Effect } from "effect"
import * as Net from "node:net"
import { expect, it } from "vitest"
import * as Wires from "../src/board/Wires.ts"

const listening = (server: Net.Server): Promise<number> =>
  new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve((server.address() as Net.AddressInfo).port)))

const talk = (address: string): Promise<{ readonly socket: Net.Socket; readonly heard: string }> =>
  new Promise((resolve) => {
    const [host, port] = address.split(":") as [string, string]
    const socket = Net.connect(Number(port), host)
    socket.on("error", () => {})
    socket.on("data", (data) => resolve({ socket, heard: `${data}` }))
    socket.on("close", () => resolve({ socket, heard: "closed" }))
    socket.write("hello")
  })

it("a node that is cut off speaks with nobody, others do, and all do when it is mended", async () => {
  const server = Net.createServer((socket) => {
    socket.on("error", () => {})
    socket.on("data", (data) => socket.write(`${data} yourself`))
  })
  const port = await listening(server)
  await Effect.runPromise(
    Effect.gen(function* () {
      const wires = yield* Wires.make
      const [cut, kept] = [yield* wires.dial("n3", "n1", port), yield* wires.dial("n2", "n1", port)]
      const { heard, socket } = yield* Effect.promise(() => talk(cut))
      expect(heard).toBe("hello yourself")
      const closed = new Promise((resolve) => socket.once("close", resolve))
      yield* wires.cut("n3")
      yield* Effect.promise(() => closed)
      expect((yield* Effect.promise(() => talk(cut))).heard).toBe("closed")
      const other = yield* Effect.promise(() => talk(kept))
      expect(other.heard).toBe("hello yourself")
      yield* wires.mend
      expect((yield* Effect.promise(() => talk(cut))).heard).toBe("hello yourself")
    }).pipe(Effect.scoped)
  )
  server.close()
})
