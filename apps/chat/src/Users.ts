/** Who is connected to this node: each user's session is a child, and its end frees the user's name. */
import { type ActorRef, type ActorSystem, Behavior, Supervision } from "@troupe/actor"
import { Effect } from "effect"
import { session } from "./Session.ts"
import { isName, type Session, UserRefused, Users } from "./Words.ts"

/** Of a node. */
export const mostUsers = 1_000

type Connected = ReadonlyMap<string, ActorRef<typeof Session.definition>>

const refusal = (connected: Connected, user: string): string | undefined => {
  if (!isName(user)) return `"${user}" is no name of a user: up to 32 letters, digits, - and _`
  if (connected.has(user)) return `${user} is here already. Take another name`
  return connected.size < mostUsers ? undefined : `${mostUsers} users are here, which is as many as can be. Try later`
}

export const users: Behavior.Behavior<typeof Users.definition, ActorSystem.ActorSystem> = Behavior.effect(Users, {
  init: () => Effect.succeed<Connected>(new Map()),
  on: {
    Connect: (connected, { screen, user }, self) =>
      Effect.gen(function* () {
        const reason = refusal(connected, user)
        if (reason !== undefined) return { state: connected, failure: new UserRefused({ reason }) }
        const behavior = yield* Behavior.provide(session(user, screen))
        const child = self.spawn(behavior, { name: user, supervision: Supervision.stop })
        self.watch(child, () => ({ _tag: "Gone", user }))
        return { state: new Map(connected).set(user, child), reply: child }
      }),

    Gone: (connected, { user }) => Effect.succeed(new Map([...connected].filter(([other]) => other !== user)))
  }
})
