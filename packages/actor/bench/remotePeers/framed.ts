import { connect, serve } from "../framed.ts"
import type { RemotePeer } from "./RemotePeer.ts"

export const framed: RemotePeer = {
  note: "The floor: 32 bytes there and back, which nobody reads; no names, no questions, nothing is given up on.",
  answer: serve,
  connect: async (port: number) => ({ ask: await connect(port) })
}
