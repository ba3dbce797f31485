import { type BrokerOptions, ServiceBroker } from "moleculer"
import { freePort } from "./freePort.ts"
import { askers, type RemotePeer } from "./RemotePeer.ts"

/** What it needs to know of both nodes, before either of them listens. */
type Urls = string

const options = (nodeID: string, urls: Urls): BrokerOptions => ({
  nodeID,
  logger: false,
  validator: false,
  transporter: { type: "TCP", options: { udpDiscovery: false, gossipPeriod: 1, urls } }
})

export const moleculer: RemotePeer = {
  note: "At most once; JSON, unchecked; a service that many calls run in at once; its default: no time limit.",
  answer: async () => {
    const urls = `127.0.0.1:${await freePort()}/there,127.0.0.1:${await freePort()}/here`
    const broker = new ServiceBroker(options("there", urls))
    broker.createService({
      name: "adder",
      actions: { next: ({ params }: { readonly params: { readonly value: number } }) => params.value + 1 }
    })
    await broker.start()
    return urls
  },
  connect: async (urls: Urls) => {
    const broker = new ServiceBroker(options("here", urls))
    await broker.start()
    await broker.waitForServices("adder")
    return { ask: askers((value) => broker.call<number, { readonly value: number }>("adder.next", { value })) }
  }
}
