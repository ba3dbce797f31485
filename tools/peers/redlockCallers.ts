/**
 * Enters Redlock's lock again and again, by so many callers, from one time of day to another. Prints how many milliseconds
 * each entry was waited for, by caller, as JSON.
 *
 *     node tools/peers/redlockCallers.ts PORTS CALLERS START END
 */
import { Redis } from "ioredis"
import Redlock from "redlock"

const [ports, callers, startMillis, endMillis] = process.argv.slice(2)
const [start, end] = [Number(startMillis), Number(endMillis)]
const clients = ports!.split(",").map((port) => new Redis({ host: "127.0.0.1", port: Number(port) }))
const redlock = new Redlock(clients, { retryCount: -1, retryDelay: 5, retryJitter: 0 })
const ttlMillis = 10_000

const call = async (): Promise<ReadonlyArray<number>> => {
  const waits: Array<number> = []
  for (let asked = performance.now(); Date.now() < end; asked = performance.now()) {
    const lock = await redlock.lock("bench", ttlMillis)
    waits.push(performance.now() - asked)
    await lock.unlock()
  }
  return waits
}

await Promise.all(clients.map((client) => client.ping()))
await new Promise((resolve) => setTimeout(resolve, start - Date.now()))
console.log(JSON.stringify(await Promise.all(Array.from({ length: Number(callers) }, call))))
for (const client of clients) client.disconnect()
