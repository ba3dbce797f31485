/** What a client takes an answer for, or none. */
import type { History } from "@troupe/consistency"
import { Effect } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import { Recorder, reads } from "../src/torture/Recorder.ts"
import * as Workload from "../src/torture/Workload.ts"

const directory = mkdtempSync(join(tmpdir(), "torture-workload-"))
const servers: Array<Server> = []
afterEach(() => servers.splice(0).forEach((server) => server.close()))
afterAll(() => rmSync(directory, { recursive: true }))

/** A node that does this with each command. */
const node = async (answer: (socket: Socket) => void): Promise<number> => {
  const server = createServer((socket) => {
    socket
      .on("error", () => {})
      .on("data", (chunk) => {
        const commands = String(chunk).match(/^\*\d/gm)?.length ?? 0
        for (let i = 0; i < commands; i++) answer(socket)
      })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return (server.address() as AddressInfo).port
}

/** Two clients, until so many calls have ended. */
const clientsOf = async (calls: number, ...ports: ReadonlyArray<number>): Promise<Recorder> => {
  const recorder = new Recorder(directory)
  const options = { clients: 2, seed: 1, rate: 5_000, ports }
  await Effect.runPromise(Workload.run(options, recorder, () => recorder.samples.length < calls))
  await recorder.close()
  return recorder
}

const eventsOf = ({ events }: Recorder): ReadonlyArray<History.Event> => [...events.values()].flat()

/** How writes ended, and how reads did. */
const endsOf = (recorder: Recorder) => {
  const ends = eventsOf(recorder).filter(({ type }) => type !== "invoke")
  const typesOf = (isRead: boolean) => [
    ...new Set(ends.filter(({ f }) => reads({ f } as Parameters<typeof reads>[0]) === isRead).map(({ type }) => type))
  ]
  return { reads: typesOf(true), writes: typesOf(false) }
}

describe("a call", () => {
  it.each([
    ["that is answered CLUSTERDOWN has not happened", "-CLUSTERDOWN nothing was changed\r\n", "fail"],
    ["that is answered REFUSED has not happened", "-REFUSED it cannot be done\r\n", "fail"],
    ["that is answered INDOUBT may have", "-INDOUBT look first\r\n", "info"],
    ["that is answered with another error may have", "-ERR who knows\r\n", "info"]
  ] as const)("%s; a read has changed nothing", async (_, line, type) => {
    const port = await node((socket) => socket.write(line))
    expect(endsOf(await clientsOf(40, port))).toEqual({ reads: ["fail"], writes: [type] })
  })

  it("whose connection ends may have happened, and its client goes on under another number, at another node", async () => {
    const closing = await node((socket) => socket.destroy())
    const recorder = await clientsOf(40, closing)
    expect(endsOf(recorder)).toEqual({ reads: ["fail"], writes: ["info"] })
    const open = eventsOf(recorder).flatMap(({ process, type }) => (type === "info" ? [process] : []))
    expect(new Set(open).size).toBe(open.length)
    const asked: Array<string> = []
    const ports = await Promise.all(["a", "b"].map((name) => node((socket) => (asked.push(name), socket.destroy()))))
    await clientsOf(10, ...ports)
    expect(new Set(asked)).toEqual(new Set(["a", "b"]))
  })

  it("that finds no node is none", async () => {
    const down = await node(() => {})
    await new Promise((resolve) => servers.pop()!.close(resolve))
    const up = await node((socket) => socket.write("$1\r\n1\r\n"))
    const recorder = await clientsOf(10, down, up)
    expect(recorder.samples.every(({ type }) => type === "ok")).toBe(true)
  })
})
