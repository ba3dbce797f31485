/** The floor: a server that understands commands and answers each with OK, and does nothing else. Tells its port. */
import { type AddressInfo, createServer } from "node:net"
import { Parser } from "../src/resp/Parser.ts"

const limits = { maxWordBytes: 1 << 20, maxCommandBytes: 1 << 20, maxWords: 1024 }
const ok = Buffer.from("+OK\r\n".repeat(4096))

const server = createServer((socket) => {
  socket.setNoDelay(true)
  const parser = new Parser(limits)
  socket.on("data", (chunk: Buffer) => {
    let count = 0
    parser.push(chunk, () => void count++)
    socket.write(ok.subarray(0, 5 * count))
  })
  socket.on("error", () => {})
})
server.listen(0, "127.0.0.1", () => process.send!((server.address() as AddressInfo).port))
