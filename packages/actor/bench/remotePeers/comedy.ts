import { createSystem } from "comedy"
import { freePort } from "./freePort.ts"
import { askers, type RemotePeer } from "./RemotePeer.ts"

/** Its source goes to the other side, where an actor of it has a process of its own. */
const adder = {
  next: (value: number): number => value + 1,
  cpu: (): number => process.cpuUsage().user + process.cpuUsage().system
}

export const comedy: RemotePeer = {
  note: "At most once; JSON, unchecked; no mailbox: asynchronous handlers of one actor run at once; no time limit.",
  answer: async () => {
    const port = await freePort()
    await createSystem({ test: true }).listen(port, "127.0.0.1")
    return port
  },
  connect: async (port: number) => {
    const root = await createSystem({ test: true }).rootActor()
    const actor = await root.createChild(adder, { mode: "remote", host: "127.0.0.1", port })
    return {
      ask: askers((value) => actor.sendAndReceive("next", value)),
      cpuElsewhere: () => actor.sendAndReceive("cpu"),
      close: () => actor.destroy()
    }
  }
}
