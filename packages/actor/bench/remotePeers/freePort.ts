import { once } from "node:events"
import * as Net from "node:net"

/** For peers that have to know a port before they listen on it. */
export const freePort = async (): Promise<number> => {
  const server = Net.createServer()
  await once(server.listen(0, "127.0.0.1"), "listening")
  const { port } = server.address() as Net.AddressInfo
  await new Promise((closed) => server.close(closed))
  return port
}
