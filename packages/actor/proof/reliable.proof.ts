/** Reliable delivery, seed by seed: `npm run proof -- actor --only reliable --seeds 2000`. */
import { Faults } from "@troupe/simulation"
import { faults, run, type Subject } from "../test/reliable/worlds.ts"

const { chaos, none } = Faults.presets
const presets = { none, ...faults, chaos, "crash, failing disks": faults.crash }

const worlds: ReadonlyArray<readonly [Subject, ReadonlyArray<keyof typeof presets>]> = [
  ["once", ["none", "lossy", "partition", "crash", "chaos"]],
  ["least", ["lossy", "crash", "chaos"]],
  ["durable", ["lossy", "partition", "crash", "chaos", "crash, failing disks"]]
]

export default worlds.flatMap(([subject, kinds]) =>
  kinds.map((preset) => ({
    algorithm: `reliable, ${subject}`,
    preset,
    run: async (seed: number) => {
      const diskFailures = preset === "crash, failing disks" ? 0.004 : 0
      const { violations, worstMillis } = await run({
        subject,
        seed,
        faults: presets[preset],
        seconds: 8,
        diskFailures
      })
      // From the calm to the last acknowledgement: the longest that a node is down, or a sender waits before it asks again.
      // Disks fail in the calm, too.
      return diskFailures > 0
        ? { violations, worstMillis: 0, boundMillis: 0 }
        : { violations, worstMillis, boundMillis: 2_400 }
    }
  }))
)
