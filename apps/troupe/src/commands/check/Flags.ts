/** What `troupe check` takes. */
import { examples } from "@troupe/model-checker/examples/index"
import { Argument, type Command, Flag } from "effect/cli"
import { isBetween, json, variant } from "../arguments.ts"

const networks = ["unordered", "unordered-duplicating", "ordered"] as const
export type Network = (typeof networks)[number]

const size = (name: string, minimum: number, maximum: number) =>
  Flag.Int(name).pipe(Flag.filter(isBetween(minimum, maximum), () => `a number from ${minimum} to ${maximum}`))

const toggle = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withDefault(false))

/** What bounds an algorithm of a card. `nodes` is a size of some examples too. */
export const bounds = {
  nodes: size("nodes", 1, 32).pipe(Flag.withDescription("How many nodes there are. Default: 3"), Flag.optional),
  entries: size("entries", 1, 1000).pipe(
    Flag.withDescription(
      "How often each node enters, or how many messages it sends. Default: 2; of more than 3 nodes, or where there would be too many states, 1"
    ),
    Flag.optional
  ),
  crashes: size("crashes", 0, 1000).pipe(
    Flag.withDescription("How many crashes there may be, of all nodes together. Default: 0"),
    Flag.optional
  ),
  restart: toggle("restart", "A node that crashed may come back, having forgotten everything"),
  network: Flag.Literals("network", networks).pipe(
    Flag.withDescription("Whether messages overtake, and come again. Default: by the card, ordered or unordered"),
    Flag.optional
  ),
  lossy: toggle("lossy", "Any message may be lost"),
  split: toggle(
    "split",
    "The network may split in two, once, and heal: in every way of up to 5 nodes, in some of more"
  ),
  timeouts: Flag.Literals("timeouts", ["any", "synchronous", "never"]).pipe(
    Flag.withDescription(
      "When timers run out: at any moment, after all messages have come, never. Default: by the card"
    ),
    Flag.optional
  ),
  draws: size("draws", 1, 64).pipe(
    Flag.withDescription(
      "How many values a draw of chance may have, spread evenly; each is explored. Default: 1, zero"
    ),
    Flag.optional
  ),
  symmetric: toggle(
    "symmetric",
    "Explore once what differs only in which node is which. Refused where an algorithm goes by names or their order"
  ),
  "partial-order": toggle(
    "partial-order",
    "Leave out orders of steps that come to the same. A counterexample may be longer than the shortest"
  )
}

/** Sizes that only examples have. */
const exampleSizes = Object.fromEntries(
  examples
    .flatMap(({ flags }) => flags)
    .filter(({ name }) => !Object.hasOwn(bounds, name))
    .map(({ description, name }) => [
      name,
      Flag.Int(name).pipe(Flag.withDescription(`Of some examples: ${description}`), Flag.optional)
    ])
)

/** How the search goes. */
const search = {
  search: Flag.Literals("search", ["breadth-first", "depth-first", "random"]).pipe(
    Flag.withDescription(
      "Breadth first finds the shortest counterexample, depth first needs less memory; random walks look around in what " +
        "is too large for either. Default: breadth-first"
    ),
    Flag.withDefault("breadth-first" as const)
  ),
  walks: size("walks", 1, 1e9).pipe(Flag.withDescription("How many random walks. Default: 10000"), Flag.optional),
  seed: Flag.Int("seed").pipe(
    Flag.withDescription("Picks the random walks: the same seed, the same walks. Default: 1"),
    Flag.optional
  ),
  workers: Flag.String("workers").pipe(
    Flag.withMetavar("N|auto"),
    Flag.filter(
      (text) => text === "auto" || (/^\d+$/.test(text) && isBetween(1, 64)(Number(text))),
      () => "a number from 1 to 64, or auto: as many as there are cores"
    ),
    Flag.withDescription(
      "How many threads explore, breadth first. Pays off from some hundred thousand states on. Default: 1"
    ),
    Flag.withDefault("1")
  ),
  all: toggle("all", "Go on after the first property that is broken, until all are decided"),
  maxStates: size("max-states", 1, 1e9).pipe(
    Flag.withDescription("End when so many states have been seen. Default: 100000000"),
    Flag.optional
  ),
  maxDepth: size("max-depth", 1, 1e9).pipe(
    Flag.withDescription("Go no further than so many steps from the start. Default: no bound; of a random walk, 1000"),
    Flag.optional
  )
}

export const flags = {
  model: Argument.String("model").pipe(
    Argument.withDescription(
      `Which one: an algorithm, as in "mutex/ricart-agrawala", or one of ${examples.map(({ name }) => `example/${name}`).join(", ")}`
    )
  ),
  variant,
  bounds,
  exampleSizes,
  ...search,
  trace: Flag.String("trace").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Write the first counterexample, step by step, as `troupe draw` reads it"),
    Flag.optional
  ),
  json
}

export type Given = Command.Command.Config.Infer<typeof flags>
