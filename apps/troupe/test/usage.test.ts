import { Cause, Effect, Exit, Runtime } from "effect"
import { TestConsole } from "effect/testing"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { cli } from "../src/cli.ts"
import { troupe } from "./command.ts"

const used = mkdtempSync(join(tmpdir(), "troupe-usage-"))
mkdirSync(join(used, "data"))
afterAll(() => rmSync(used, { recursive: true }))

const mistakes: ReadonlyArray<readonly [string, string]> = [
  ["run mutex/ricart-agrawal", 'There is no algorithm "mutex/ricart-agrawal". Did you mean "mutex/ricart-agrawala"?'],
  ["run bully", 'Did you mean "election/bully"? `troupe list` shows all.'],
  ["list nothing/like-it-at-all", 'There is no algorithm "nothing/like-it-at-all". `troupe list` shows all.'],
  ["run", "Missing required argument: algorithm"],
  [
    "run election/bully --transport carrier-pigeon",
    '--transport carrier-pigeon: expected "memory", "tcp", "udp", "sim"'
  ],
  ["run election/bully --transport udp", "election/bully assumes channels that lose no message, and UDP does not"],
  ["run election/bully --nodes 0", "--nodes 0: expected a number of nodes from 1 to 1000"],
  ["run election/bully --nodes 1001", "--nodes 1001: expected a number of nodes from 1 to 1000"],
  ["run election/bully --nodes five", "--nodes five: expected a whole number"],
  ["run election/bully --nodes 65 --transport tcp", "64 nodes at the most, not 65"],
  ["run clocks/lamport --nodes 65 --transport udp", "64 nodes at the most, not 65"],
  ["run mutex/ricart-agrawala --entries -1", "--entries -1: expected a number of entries from 1 to 1000000"],
  ["run mutex/ricart-agrawala --seed x", "--seed x: expected a whole number"],
  [
    "run mutex/ricart-agrawala --entrys 5",
    "Unrecognized flag: --entrys in command troupe run. Did you mean --entries?"
  ],
  ["runn", 'Unknown subcommand "runn" for "troupe". Did you mean run?'],
  ["simulate election/bully --seeds 5", "--seeds 5: give the first and the last seed, as in --seeds 1..100"],
  ["simulate election/bully --seeds 9..1", "the first seed is above the last. Did you mean 1..9?"],
  ["simulate election/bully --faults rain", '--faults rain: expected "none", "lossy"'],
  ["simulate election/bully --keep all", "--keep all: give the numbers of faults"],
  ["simulate election/bully --without rain", "--without rain: give some of loss,duplication,reordering"],
  ["simulate election/bully --trace /no/such/directory/t", "it cannot be written, there is no such file or directory"],
  ["run election/bully --nodes 1.5", "--nodes 1.5: expected a whole number"],
  ["run election/bully --nodes 5 --nodes 6", "--nodes given 2 times: expected it once"],
  [
    "run election/bully --kill 1",
    "--kill 1: election/bully detects no failures. Those of failure-detection do; of locks kill the holder"
  ],
  ["run election/bully --kill holder --transport tcp", "--kill holder: election/bully has no holder. Locks have."],
  ["run mutex/raymond --kill leader --transport tcp", "--kill leader: mutex/raymond has no leader. Elections have."],
  ["run election/bully --kill leader", "in memory no node dies alone. Take --transport sim or tcp."],
  [
    "run election/bully --kill leader --nodes 2 --transport sim",
    "too few would be left to show anything. Give --nodes 3"
  ],
  ["run mutex/raymond --kill holder --no-detector --transport sim", "mutex/raymond listens to no failure detector."],
  ["run mutex/raymond --no-detector", "--no-detector: nobody is killed. Add --kill holder, or leader."],
  ["run election/bully --seconds 9", "--seconds: election/bully detects no failures"],
  ["run failure-detection/ping --kill 1", "--kill 1: in memory no node dies alone. Take --transport sim, tcp or udp"],
  [
    "run failure-detection/ping --kill 5 --transport sim",
    "--kill 5: one of 5 must be left to notice, so 4 at the most"
  ],
  ["run failure-detection/ping --kill -1", "--kill -1: expected holder, leader, or a number of nodes from 0 to 1000"],
  ["run failure-detection/ping --seconds 1", "--seconds 1: expected a number of seconds from 2 to 3600"],
  ["torture kv --minutes 1 --seconds 5", "Give one of --minutes, --seconds and --kills."],
  [
    "torture kv --faults kill,rain",
    '--faults has "rain". There are kill, pause, partition, delay, clock, disk; or none.'
  ],
  ["torture kv --kills 5 --faults disk", "--kills is without other --faults."],
  ["torture kv --nodes 2", "--nodes 2: expected a number of nodes from 3 to 9"],
  ["torture kv --replication magic", '--replication magic: expected "passive"'],
  ["torture kv --out /dev/null/x", "--out: "],
  [`torture kv --out ${used}`, "has the data of another run. Give --out another directory."],
  ["torture kvv", 'Unknown subcommand "kvv"'],
  ["compare", "Missing required argument: package"],
  [
    "compare rain",
    'There is no package "rain". It can be: election, failure-detection, mutex, group, gossip, broadcast.'
  ],
  [
    "compare clocks",
    "What to measure of clocks is not known yet. It can be: election, failure-detection, mutex, group, gossip, broadcast."
  ],
  ["compare mutex --loss 5", "--loss has no meaning for mutex, which takes --contention."],
  ["compare mutex --contention some", '--contention some: expected "low", "high"'],
  ["compare election --contention low", "--contention has no meaning for election, which takes --crash."],
  ["compare failure-detection --nodes 1", "--nodes 1: give numbers of nodes from 2 to 1000, as in --nodes 10,100."],
  ["compare failure-detection --nodes 10,x", "--nodes 10,x: give numbers of nodes"],
  ["compare failure-detection --seeds 0", "--seeds 0: expected a number of seeds from 1 to 10000"],
  ["compare failure-detection --loss 100", "--loss 100: expected a percentage from 0 to 90"],
  ["compare failure-detection --svg /no/such/directory/x", "--svg /no/such/directory/x: it cannot be written"],
  ["bank --transfers 0", "--transfers 0: expected a number of transfers from 1 to 1000000"],
  ["bank --opening -1", "--opening -1: expected an amount in cents from 0 to 1000000000000"],
  ["bank --mutex tokenring", "--mutex tokenring: there is no such mutex. It can be: ricart-agrawala, coordinator, "],
  ["bank --election election/lamport", "--election election/lamport: there is no such election. It can be: bully, "],
  ["bank --input /no/such/file", "/no/such/file: cannot be read, there is no such file or directory"],
  ["bank --input /", "/: cannot be read, it is not a file"],
  ["kv --seconds 5", "--seconds: it is for trials. Add --demo, or --transport sim."],
  ["kv --faults chaos", "--faults: they are simulated. Add --transport sim."],
  ["kv --demo --transport tcp", "which takes --transport memory."],
  ["kv --demo --data x", "--data: a trial has disks and clients of its own. Leave it out."],
  ["kv --transport sim --idle-seconds 1", "--idle-seconds: a trial has disks and clients of its own."],
  ["kv --demo --history /no/such/x", "--history /no/such/x: it cannot be written, there is no such file or directory."],
  ["kv --tls-cert x", "--tls-cert needs --tls-key: a certificate and its own key, in PEM."],
  ["kv --tls-cert /no/such --tls-key /no/such", "/no/such: --tls-cert: there is no such file, or it cannot be read"],
  ["kv --max-value 5000000", "--max-value 5000000: expected a whole number from 1 to 4194304"],
  ["kv --port 65535", "--port 65535 leaves no ports for 5 nodes. Choose a lower one."]
]

/** Runs the command in this process. */
const answer = (args: string) =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(cli(args.split(" ")))
    const code = Exit.isSuccess(exit) ? 0 : Runtime.getErrorExitCode(Cause.squash(exit.cause))
    const lines = (all: ReadonlyArray<unknown>) => all.map(String)
    return { code, stdout: lines(yield* TestConsole.logLines), stderr: lines(yield* TestConsole.errorLines) }
  }).pipe(Effect.provide(TestConsole.layer), Effect.runPromise)

describe("bad input is answered in one line, with exit code 2", () => {
  it.each(mistakes)("troupe %s", async (args, expected) => {
    const { code, stderr, stdout } = await answer(args)
    expect(stderr).toHaveLength(1)
    expect(stderr[0]).toContain(expected)
    expect(stderr[0]).toMatch(/^troupe: [^\n]+$/)
    expect({ code, stdout }).toEqual({ code: 2, stdout: [] })
  })

  it("of a store's configuration, with what it has", async () => {
    const config = join(mkdtempSync(join(tmpdir(), "troupe-usage-")), "cluster.json")
    const nodes = [1, 2].map((id) => ({ id: `n${id}`, peer: `127.0.0.1:${id}`, port: 10 + id }))
    writeFileSync(config, JSON.stringify({ cluster: "shop", replication: "passive", nodes }))
    const { code, stderr } = await answer(`kv node --id n9 --config ${config}`)
    expect(stderr[0]).toBe(`troupe: ${config}: there is no node "n9" in it: it has n1, n2`)
    expect(code).toBe(2)
    rmSync(dirname(config), { recursive: true })
  })

  it("by the process too", async () => {
    const { code, stderr, stdout } = await troupe("run", "election/bully", "--nodes", "0")
    expect(stderr).toMatch(/^troupe: --nodes 0: [^\n]+\n$/)
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" })
  })
})

describe("help", () => {
  it.each([
    ["--help", "simulate"],
    ["list --help", "troupe list election/bully"],
    ["run --help", "troupe run mutex/ricart-agrawala --transport tcp"],
    ["compare --help", "troupe compare failure-detection --nodes 50"],
    ["simulate --help", "troupe simulate election/bully --seeds 1..2000 --faults crash"],
    ["torture kv --help", "troupe torture kv --kills 50"]
  ])("troupe %s has examples", async (args, example) => {
    const { code, stderr, stdout } = await answer(args)
    expect(stdout.join("\n")).toContain("EXAMPLES")
    expect(stdout.join("\n")).toContain(example)
    expect({ code, stderr }).toEqual({ code: 0, stderr: [] })
  })

  it("troupe --version says which", async () => {
    expect((await troupe("--version")).stdout).toMatch(/^troupe v\d+\.\d+\.\d+\n$/)
  })
})
