/** Links between processes that can be cut, one way or both, delayed and healed. */
import { Effect, Exit, Scope } from "effect"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import * as Links from "../src/torture/Links.ts"

/** What a socket gets, in the order of its coming. */
const hearing = (socket: Socket) => {
  let text = ""
  let isOver = false
  let wake = (): void => {}
  const changed = (): void => wake()
  socket.on("data", (chunk) => {
    text += String(chunk)
    changed()
  })
  socket.on("error", () => {})
  socket.once("close", () => {
    isOver = true
    changed()
  })
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await new Promise<void>((resolve) => (wake = resolve))
  }
  return {
    text: () => text,
    has: (expected: string) => until(() => text === expected),
    isOver: () => until(() => isOver)
  }
}

const closing: Array<() => unknown> = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** A node `b` that answers each piece with its capitals, and the links of `a` and `b`. */
const twoNodes = async () => {
  const accepted: Array<Socket> = []
  const server = createServer((socket) => {
    accepted.push(socket)
    socket.on("error", () => {}).on("data", (chunk) => socket.write(String(chunk).toUpperCase()))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  closing.push(() => {
    for (const socket of accepted) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const scope = Scope.makeUnsafe()
  const links = await Effect.runPromise(
    Scope.provide(
      Links.open(
        new Map([
          ["a", 1],
          ["b", port]
        ])
      ),
      scope
    )
  )
  closing.push(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  const dial = async (): Promise<Socket> => {
    const [host, proxy] = links.address("a", "b").split(":")
    const socket = connect({ port: Number(proxy), host: host! })
    await new Promise<void>((resolve) => socket.once("connect", () => resolve()))
    closing.push(() => socket.destroy())
    return socket
  }
  /** A round to the node past the links: what could go through them meanwhile has. */
  const round = async (): Promise<void> => {
    const socket = connect({ port, host: "127.0.0.1" })
    closing.push(() => socket.destroy())
    const heard = hearing(socket)
    for (const text of ["A", "AA", "AAA"]) {
      socket.write("a")
      await heard.has(text)
    }
  }
  return { links, dial, accepted, round }
}

describe("a link", () => {
  it("carries what is sent, both ways", async () => {
    const { dial } = await twoNodes()
    const socket = await dial()
    const heard = hearing(socket)
    socket.write("abc")
    await heard.has("ABC")
  })

  it("that is cut holds back what is sent, and brings it in order when it is healed", async () => {
    const { accepted, dial, links, round } = await twoNodes()
    const socket = await dial()
    const heard = hearing(socket)
    socket.write("a")
    await heard.has("A")
    const there = hearing(accepted[0]!)
    links.cut([["a", "b"]], false)
    socket.write("b")
    socket.write("c")
    await round()
    expect(there.text()).toBe("")
    links.heal([["a", "b"]])
    await heard.has("ABC")
  })

  it("that is cut one way lets the other way through", async () => {
    const { accepted, dial, links } = await twoNodes()
    const socket = await dial()
    const heard = hearing(socket)
    socket.write("a")
    await heard.has("A")
    links.cut([["a", "b"]], false)
    accepted[0]!.write("x")
    await heard.has("Ax")
  })

  it("that is cut by two partitions is open again when both have ended", async () => {
    const { dial, links, round } = await twoNodes()
    const socket = await dial()
    const heard = hearing(socket)
    links.cut([["a", "b"]], false)
    links.cut([["a", "b"]], false)
    socket.write("a")
    links.heal([["a", "b"]])
    await round()
    expect(heard.text()).toBe("")
    links.heal([["a", "b"]])
    await heard.has("A")
  })

  it("does not let a new connection through as long as either way is cut", async () => {
    const { accepted, dial, links, round } = await twoNodes()
    links.cut([["b", "a"]], false)
    const socket = await dial()
    const heard = hearing(socket)
    socket.write("a")
    await round()
    expect(accepted).toHaveLength(1)
    links.heal([["b", "a"]])
    await heard.has("A")
  })

  it("that is cut with resets ends its connections", async () => {
    const { dial, links } = await twoNodes()
    const socket = await dial()
    const heard = hearing(socket)
    socket.write("a")
    await heard.has("A")
    links.cut([["a", "b"]], true)
    await heard.isOver()
  })

  it("that is delayed keeps the order", async () => {
    const { dial, links } = await twoNodes()
    const socket = await dial()
    const heard = hearing(socket)
    links.delay("a", ["b"], 30)
    const begin = performance.now()
    socket.write("a")
    socket.write("b")
    await heard.has("AB")
    expect(performance.now() - begin).toBeGreaterThanOrEqual(59)
  })

  it("tells that the other end has closed", async () => {
    const { accepted, dial } = await twoNodes()
    const socket = await dial()
    const heard = hearing(socket)
    socket.write("a")
    await heard.has("A")
    accepted[0]!.destroy()
    await heard.isOver()
  })
})
