/** `troupe chat node`: one node of a chat, a process of its own. */
import { Config, Door, Node } from "@troupe/chat"
import { Console, Effect, Layer } from "effect"
import { Command } from "effect/cli"
import { keepUp, oneOf, usage } from "../commands/serving.ts"

export const node = Command.make(
  "node",
  oneOf("chat"),
  Effect.fnUntraced(function* (given) {
    const config = yield* Effect.mapError(Config.read(given.config), usage)
    const own = yield* Effect.mapError(Config.find(given.config, config, given.id), usage)
    yield* keepUp(
      Effect.andThen(
        Layer.build(Node.layer(config, own)),
        Console.log(`${own.id} of ${config.chat}: nc ${own.host ?? "localhost"} ${own.port}. Ctrl-C ends it.`)
      )
    )
  })
).pipe(
  Command.withDescription(
    "Runs one node of a chat, on one machine or several. The file says which nodes there are:\n\n" +
      '{ "chat": "village", "nodes": [\n' +
      '  { "id": "n1", "peer": "10.0.0.1:7101", "port": 7001, "http": 8001, "host": "0.0.0.0", "data": "./data" },\n' +
      '  { "id": "n2", "peer": "10.0.0.2:7101", "port": 7001, "http": 8001, "host": "0.0.0.0", "data": "./data" } ] }\n\n' +
      "peer: where the others reach it. port, http, host: for users, with nc and with a browser. top: where troupe top sees its actors, from that machine. Besides, for all: everyMillis, how " +
      "often nodes say that they are up, deadlineMillis, how long one may be silent before its users are taken for gone, and " +
      "limits: {" +
      Object.entries(Door.defaults)
        .map(([name, value]) => `"${name}": ${value}`)
        .join(", ") +
      "}, as in `troupe chat --help`"
  ),
  Command.withShortDescription("Runs one node of a chat"),
  Command.withExamples([
    { command: "troupe chat node --id n1 --config chat.json", description: "On the first machine; n2 on the other" }
  ])
)
