/** The least that asking another process can cost: `node:net` with a length before each message, and nothing else. */
import { once } from "node:events"
import * as Net from "node:net"

const messageBytes = 32

/** Calls `onFrame` for every message; then `onBatch`, once for what arrived together. */
const frames = (
  socket: Net.Socket,
  onFrame: (chunk: Buffer, start: number, end: number) => void,
  onBatch: () => void
) => {
  let rest: Buffer | undefined
  socket.on("data", (data: Buffer) => {
    const chunk = rest === undefined ? data : Buffer.concat([rest, data])
    let at = 0
    while (chunk.length - at >= 4) {
      const end = at + 4 + chunk.readUInt32BE(at)
      if (end > chunk.length) break
      onFrame(chunk, at + 4, end)
      at = end
    }
    rest = at < chunk.length ? chunk.subarray(at) : undefined
    onBatch()
  })
}

/** Sends back what it is sent; what arrived together leaves together. Gives its port. */
export const serve = async (): Promise<number> => {
  const server = Net.createServer((socket) => {
    socket.setNoDelay(true)
    let replies: Array<Buffer> = []
    frames(
      socket,
      (chunk, start, end) => void replies.push(chunk.subarray(start - 4, end)),
      () => {
        socket.write(replies.length === 1 ? replies[0]! : Buffer.concat(replies))
        replies = []
      }
    )
    socket.on("error", () => {})
  })
  await once(server.listen(0, "127.0.0.1"), "listening")
  return (server.address() as Net.AddressInfo).port
}

/** Asks `count` times, `depth` at once. Resolves with how many answers there were. */
export type Echo = (depth: number, count: number) => Promise<number>

export const connect = async (port: number): Promise<Echo> => {
  const socket = Net.connect(port, "127.0.0.1")
  socket.setNoDelay(true)
  await once(socket, "connect")
  const message = Buffer.alloc(4 + messageBytes)
  message.writeUInt32BE(messageBytes)
  let [answered, toSend, arrived, count] = [0, 0, 0, 0]
  let resolve = (_: number): void => {}
  const send = (wanted: number): void => {
    const now = Math.min(wanted, toSend)
    toSend -= now
    if (now > 0) socket.write(now === 1 ? message : Buffer.concat(Array.from({ length: now }, () => message)))
  }
  frames(
    socket,
    () => void arrived++,
    () => {
      answered += arrived
      send(arrived)
      arrived = 0
      if (answered >= count) resolve(answered)
    }
  )
  return (depth, total) =>
    new Promise((done) => {
      ;[answered, toSend, count, resolve] = [0, total, total, done]
      send(depth)
    })
}
