/**
 * An event-sourced actor that keeps, in the same records as its events, which messages of whom it took: what a message did
 * and that it was taken are on disk together or not at all.
 */
import type { Storage } from "@troupe/storage"
import type { Codec } from "@troupe/transport"
import { Schema } from "effect"
import * as EventSourced from "../../EventSourced.ts"
import type { Behavior, Mailbox, Self } from "../../Behavior.ts"
import * as Messages from "../../Messages.ts"
import { serial, SessionForgotten } from "./wire.ts"

/** Asked and told by the receiver in front, on behalf of a sender. */
export const enter = "\0enter"
export const delivery = "\0delivery"

/** Where a session stands: `next` is the number that is taken next. */
export interface Entered {
  readonly life: number
  readonly next: number
}

/** Told in place of a session's next number, when there is none: messages have numbers from 1 on. */
export const forgotten = 0

interface Remembered<State> {
  readonly state: State
  /** Of this actor's log. */
  readonly life: number
  /** The next number of each session; who was heard of last stands last. */
  readonly next: ReadonlyMap<number, number>
}

interface Event<E> {
  readonly events: ReadonlyArray<E>
  /** The session of which number `next - 1` was taken, or which was entered. */
  readonly session?: number
  readonly next?: number
  readonly life?: number
}

const applied =
  <State, E>(apply: (state: State, event: E) => State, sessions: number) =>
  (before: Remembered<State>, { events, life = before.life, next, session }: Event<E>): Remembered<State> => {
    let { state } = before
    for (const event of events) state = apply(state, event)
    if (session === undefined || next === undefined) return { ...before, state, life }
    const known = new Map(before.next)
    known.delete(session)
    known.set(session, next)
    for (const oldest of known.keys()) {
      if (known.size <= sessions) break
      known.delete(oldest)
    }
    return { state, life, next: known }
  }

/** Its handlers as they are, and those for the receiver in front. */
const handlersOf = <State, E>(
  definition: Messages.Definition,
  on: { readonly [tag: string]: (state: State, message: any, self: any) => any }
) => {
  const own = (tag: string) => (remembered: Remembered<State>, message: unknown, self: unknown) => {
    const { events = [], ...rest } = on[tag]!(remembered.state, message, self) as EventSourced.Told<E>
    return { ...rest, events: events.length === 0 ? [] : [{ events }] }
  }
  return {
    ...Object.fromEntries(Object.keys(definition).map((tag) => [tag, own(tag)])),
    [enter]: ({ life, next }: Remembered<State>, { first, life: known, session }: any, self: Self<any>) => {
      const before = next.get(session)
      if (before !== undefined) return { reply: { life, next: before } satisfies Entered }
      if (life !== 0 && known === life) return { failure: new SessionForgotten({ receiver: "it" }) }
      const mine = life === 0 ? serial(self.random()) : life
      return { events: [{ events: [], session, next: first, life: mine }], reply: { life: mine, next: first } }
    },
    [delivery]: ({ next, state }: Remembered<State>, { done, message, number, session }: any, self: unknown) => {
      const expected = next.get(session)
      if (expected === undefined) return { after: () => done(forgotten, false) }
      if (expected !== number) return { after: () => done(expected, expected < number) }
      const told = on[message._tag]!(state, message, self) as EventSourced.Told<E>
      const after = (): void => {
        told.after?.()
        done(number + 1, false)
      }
      return { events: [{ events: told.events ?? [], session, next: number + 1 }], after }
    }
  }
}

/** What is delivered in its order must be taken in it: there are no priorities. */
export interface Given<D extends Messages.Definition, State, E> extends Omit<
  EventSourced.Given<D, State, E>,
  "mailbox"
> {
  readonly mailbox?: Omit<Mailbox<D>, "priority">
}

export const make = <D extends Messages.Definition, State, E>(
  messages: Messages.Messages<D>,
  { apply, event, init, on, onStart, onStop, snapshot, upcast, ...rest }: Given<D, State, E>,
  sessions: number
): Behavior<D, Storage> => {
  const definition = {
    ...messages.definition,
    [enter]: Messages.ask({}, { reply: Schema.Any }),
    [delivery]: Messages.tell({})
  }
  // The schema stays: no other node can say these.
  const extended = { ...messages, definition } as Messages.Messages<any>
  const behavior = EventSourced.make(extended, {
    ...rest,
    event: eventOf(event),
    init: (): Remembered<State> => ({ state: init(), life: 0, next: new Map() }),
    apply: applied(apply, sessions),
    on: handlersOf<State, E>(messages.definition, on as never) as never,
    ...(onStart === undefined ? {} : { onStart: ({ state }: Remembered<State>, self) => onStart(state, self) }),
    ...(onStop === undefined ? {} : { onStop: ({ state }: Remembered<State>) => onStop(state) }),
    ...(upcast === undefined ? {} : { upcast: upcastOf(upcast) }),
    ...(snapshot === undefined ? {} : { snapshot: snapshotOf(snapshot) })
  })
  return { ...behavior, messages } as unknown as Behavior<D, Storage>
}

const eventOf = <E>(event: Codec.MessageSchema<E>): Codec.MessageSchema<Event<E>> =>
  Schema.Struct({
    events: Schema.Array(event),
    session: Schema.optionalKey(Schema.Int),
    next: Schema.optionalKey(Schema.Int),
    life: Schema.optionalKey(Schema.Int)
  })

const upcastOf =
  (upcast: (event: unknown, version: number) => unknown) =>
  (older: unknown, version: number): unknown => {
    const event = older as Event<unknown>
    return { ...event, events: event.events.map((each) => upcast(each, version)) }
  }

const snapshotOf = <State>({
  state,
  upcast,
  ...rest
}: NonNullable<EventSourced.Given<any, State, any>["snapshot"]>): {
  readonly state: Codec.MessageSchema<Remembered<State>>
  readonly upcast?: (older: unknown, version: number) => unknown
  readonly above?: number
} => ({
  ...rest,
  ...(upcast && {
    upcast: (older, version) => {
      const remembered = older as Remembered<unknown>
      return { ...remembered, state: upcast(remembered.state, version) }
    }
  }),
  state: Schema.Struct({ state, life: Schema.Int, next: Schema.ReadonlyMap(Schema.Int, Schema.Int) })
})
