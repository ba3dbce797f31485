import { run, worlds } from "/work/main/apps/chat/test/world.ts"
const preset = process.argv[2] ?? "chaos"
const [from, to] = [Number(process.argv[3] ?? 1), Number(process.argv[4] ?? 3)]
for (let seed = from; seed <= to; seed++) {
  const t = performance.now()
  const r = await run({ seed, faults: worlds[preset]! })
  console.log(seed, JSON.stringify(r).slice(0, 1500), Math.round(performance.now() - t), "ms")
}
