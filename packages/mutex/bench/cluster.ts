/** Five nodes as five processes, which do what they are asked. */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Task } from "./lockNode.ts"
import { nodes } from "./locks.ts"

export interface Cluster {
  /** Resolves to the node's answer. */
  readonly ask: (node: string, task: Task) => Promise<any>
  /** Asks all at once. */
  readonly askAll: (task: (node: string) => Task) => Promise<ReadonlyArray<any>>
  readonly stop: () => void
}

const file = fileURLToPath(new URL("lockNode.ts", import.meta.url))

const answer = (child: ChildProcess): Promise<any> =>
  new Promise((resolve, reject) => {
    const onExit = (): void => reject(new Error("a node has ended before its answer"))
    child.once("exit", onExit)
    child.once("message", (message: { readonly answer: unknown }) => {
      child.off("exit", onExit)
      resolve(message.answer)
    })
  })

export const start = async (): Promise<Cluster> => {
  const children = new Map(nodes.map((node) => [node, fork(file, [node], { execArgv: process.execArgv })]))
  const stop = (): void => {
    for (const child of children.values()) child.kill()
  }
  const ask: Cluster["ask"] = (node, task) => {
    const child = children.get(node)!
    child.send(task)
    return answer(child)
  }
  const askAll: Cluster["askAll"] = (task) => Promise.all(nodes.map((node) => ask(node, task(node))))
  const ports = await Promise.all(nodes.map(async (node) => [node, await answer(children.get(node)!)]))
  await askAll(() => ({ _tag: "Connect", ports: Object.fromEntries(ports) }))
  return { ask, askAll, stop }
}
