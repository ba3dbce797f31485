/** Traces of deliveries for tests: at random, and what each predicate says of them by its definition. */
import type { Delivery } from "@troupe/consistency"

/** 2–3 nodes with at most 4 messages, in the order of sending more often than not. */
export const randomDeliveries = (random: () => number, views: boolean): Delivery.Trace => {
  const below = (limit: number): number => Math.floor(random() * limit)
  const nodes = ["n1", "n2", "n3"].slice(0, 2 + below(2))
  const lists = new Map([1, 2, 3].map((number) => [number, number === 1 || random() < 0.6 ? nodes : nodes.slice(1)]))
  const tidiness = random()
  const events = new Map(nodes.map((node) => [node, [] as Array<Delivery.Event>]))
  const inbox = new Map(nodes.map((node) => [node, [] as Array<string>]))
  const view = new Map(nodes.map((node) => [node, 0]))
  let sent = 0
  const install = (node: string): void => {
    const next = view.get(node)! + (random() < 0.97 ? 1 : 2)
    view.set(node, next)
    const members = lists.get(next)
    if (members === undefined || (!members.includes(node) && random() < 0.95)) return
    events.get(node)!.push({ _tag: "View", number: next, members: random() < 0.98 ? members : [node] })
  }
  if (views) for (const node of nodes) if (random() < 0.9) install(node)
  const steps = 8 + below(10)
  for (let step = 0; step < steps; step++) {
    const node = nodes[below(nodes.length)]!
    const own = events.get(node)!
    const waiting = inbox.get(node)!
    const chance = random()
    if (chance < 0.3 && sent < 4) {
      const id = `m${++sent}`
      own.push({ _tag: "Send", id })
      for (const each of nodes) if (random() < 0.97) inbox.get(each)!.push(id)
    } else if (chance < 0.92 && waiting.length > 0) {
      const [id] = random() < tidiness + 0.4 ? waiting.splice(0, 1) : waiting.splice(below(waiting.length), 1)
      own.push({ _tag: "Deliver", id: random() < 0.98 ? id! : "nothing", ...(random() < 0.05 && { from: node }) })
      if (random() < 0.03) waiting.push(id!)
    } else if (chance > 0.97) own.push({ _tag: "Crash" })
    else if (views && chance > 0.9) install(node)
  }
  if (views && random() < 0.7) {
    for (const node of nodes) if (view.get(node)! < 2 && random() < 0.9) install(node)
  }
  for (const node of nodes)
    if (random() < 0.9) for (const id of inbox.get(node)!) events.get(node)!.push({ _tag: "Deliver", id })
  return events
}

// ---------------------------------------------------------------------------------------------------- the definitions

interface Life {
  readonly node: string
  readonly number: number
  readonly isLast: boolean
  readonly isUp: boolean
  readonly events: ReadonlyArray<Delivery.Event>
}

interface Sent {
  readonly id: string
  readonly life: Life
  readonly at: number
}

const lives = (trace: Delivery.Trace): ReadonlyArray<Life> =>
  [...trace].flatMap(([node, events]) => {
    const parts: Array<Array<Delivery.Event>> = [[]]
    for (const event of events) {
      parts.at(-1)!.push(event)
      if (event._tag === "Crash") parts.push([])
    }
    if (parts.length > 1 && parts.at(-1)!.length === 0) parts.pop()
    return parts.map((events, number) => ({
      node,
      number,
      isLast: number === parts.length - 1,
      isUp: events.at(-1)?._tag !== "Crash",
      events
    }))
  })

const sends = (all: ReadonlyArray<Life>): ReadonlyArray<Sent> =>
  all.flatMap((life) =>
    life.events.flatMap((event, at) => (event._tag === "Send" ? [{ id: event.id as string, life, at }] : []))
  )

const hasViews = (all: ReadonlyArray<Life>): boolean =>
  all.some(({ events }) => events.some(({ _tag }) => _tag === "View"))

const viewAt = ({ events }: Life, at: number): number => {
  const last = events.slice(0, at).findLast((event) => event._tag === "View")
  return last?._tag === "View" ? last.number : 0
}

const deliveries = ({ events }: Life): ReadonlyArray<{ readonly id: string; readonly at: number }> =>
  events.flatMap((event, at) => (event._tag === "Deliver" ? [{ id: event.id as string, at }] : []))

const delivers = (life: Life, id: string): boolean => deliveries(life).some((each) => each.id === id)

const viewsOf = ({ events }: Life): ReadonlyArray<number> =>
  events.flatMap((event) => (event._tag === "View" ? [event.number] : []))

const membersOf = (all: ReadonlyArray<Life>, view: number): ReadonlyArray<string> => {
  for (const { events } of all) {
    for (const event of events) if (event._tag === "View" && event.number === view) return event.members
  }
  return []
}

const isCorrect = (all: ReadonlyArray<Life>, life: Life): boolean => {
  const last = Math.max(...all.flatMap(viewsOf))
  return life.isUp && life.isLast && (!hasViews(all) || membersOf(all, last).includes(life.node))
}

/** The lowest view that any node went on to from this one. */
const nextOf = (all: ReadonlyArray<Life>, view: number): number | undefined => {
  const after = all.flatMap((life) =>
    viewsOf(life).flatMap((each, i, own) => (each === view ? own.slice(i + 1, i + 2) : []))
  )
  return after.length === 0 ? undefined : Math.min(...after)
}

const survived = (all: ReadonlyArray<Life>, life: Life, view: number): boolean => {
  if (!hasViews(all)) return isCorrect(all, life)
  const own = viewsOf(life)
  const at = own.lastIndexOf(view)
  if (at < 0) return false
  const next = nextOf(all, view)
  const mine = own[at + 1]
  if (mine === undefined && !isCorrect(all, life)) return false
  return next === undefined || mine === next || membersOf(all, next).includes(life.node)
}

/** Where somebody delivers it; else its sender's view when the sender can have meant no other. */
const viewOf = (all: ReadonlyArray<Life>, message: Sent): number | undefined => {
  const delivered = (id: string): number | undefined => {
    for (const life of all) for (const each of deliveries(life)) if (each.id === id) return viewAt(life, each.at)
    return undefined
  }
  const own = delivered(message.id)
  if (own !== undefined) return own
  const siblings = sends(all).filter(({ life }) => life === message.life)
  const known = (part: ReadonlyArray<Sent>): ReadonlyArray<number> => part.flatMap(({ id }) => delivered(id) ?? [])
  const lower = Math.max(
    0,
    ...viewsOf(message.life).slice(0, message.life.events.slice(0, message.at).filter((e) => e._tag === "View").length),
    ...known(siblings.filter(({ at }) => at < message.at))
  )
  const upper = known(siblings.filter(({ at }) => at > message.at))[0] ?? viewsOf(message.life).at(-1) ?? 0
  return lower === upper ? lower : undefined
}

const owed = (all: ReadonlyArray<Life>, message: Sent, unless: (life: Life) => boolean): boolean => {
  const view = viewOf(all, message)
  return all.every(
    (life) =>
      delivers(life, message.id) ||
      unless(life) ||
      !isCorrect(all, life) ||
      (hasViews(all) ? view === undefined || !survived(all, life, view) : life.number > 0)
  )
}

const agreement = (trace: Delivery.Trace, uniform: boolean): boolean => {
  const all = lives(trace)
  return sends(all).every((message) => {
    const counts = all.some((life) =>
      deliveries(life).some(
        ({ at, id }) =>
          id === message.id && (uniform || (isCorrect(all, life) && survived(all, life, viewAt(life, at))))
      )
    )
    return !counts || owed(all, message, () => false)
  })
}

/** Each node delivers, of any two messages of which one is before the other, the earlier first, and not the later alone. */
const inOrder = (all: ReadonlyArray<Life>, isBefore: (a: Sent, b: Sent) => boolean): boolean => {
  const messages = sends(all)
  return all.every((life) =>
    messages.every((later) => {
      const place = deliveries(life).findIndex(({ id }) => id === later.id)
      if (place < 0) return true
      return messages.every((earlier) => {
        if (!isBefore(earlier, later)) return true
        const other = deliveries(life).findIndex(({ id }) => id === earlier.id)
        if (other >= 0) return other < place
        return hasViews(all) ? viewOf(all, earlier) !== viewOf(all, later) : life.number > 0
      })
    })
  )
}

/** Lamport's order of all events, by closure; undefined where it has a circle. */
const happenedBefore = (all: ReadonlyArray<Life>): ((a: Sent, b: Sent) => boolean) | undefined => {
  const messages = sends(all)
  const events = all.flatMap((life) => life.events.map((event, at) => ({ life, event, at })))
  const edge = events.map((a) =>
    events.map(
      (b) =>
        (a.life === b.life && a.at < b.at) ||
        (a.event._tag === "Send" && b.event._tag === "Deliver" && a.event.id === b.event.id)
    )
  )
  for (let k = 0; k < events.length; k++) {
    for (let i = 0; i < events.length; i++) {
      if (edge[i]![k]) for (let j = 0; j < events.length; j++) edge[i]![j] ||= edge[k]![j]!
    }
  }
  if (edge.some((row, i) => row[i])) return undefined
  const index = new Map(
    messages.map(({ id, life, at }) => [id, events.findIndex((e) => e.life === life && e.at === at)])
  )
  return (a, b) => edge[index.get(a.id)!]![index.get(b.id)!]!
}

const total = (trace: Delivery.Trace, uniform: boolean): boolean => {
  const all = lives(trace)
  const known = new Set(sends(all).map(({ id }) => id))
  const sequences = all.map((life) => {
    const first = deliveries(life).filter(
      ({ at, id }) => known.has(id) && !deliveries(life).some((each) => each.id === id && each.at < at)
    )
    return first.filter(({ at }) => uniform || survived(all, life, viewAt(life, at))).map(({ id }) => id)
  })
  return sequences.every((a) =>
    sequences.every((b) => {
      const common = b.filter((id) => a.includes(id))
      return common.every((id, i) => i === 0 || a.indexOf(common[i - 1]!) < a.indexOf(id))
    })
  )
}

const viewSynchronous = (trace: Delivery.Trace): boolean => {
  const all = lives(trace)
  const sameList = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): boolean =>
    a.length === b.length && a.every((each) => b.includes(each))
  const told = all.every((life) =>
    life.events.every((event, at) => {
      if (event._tag !== "View") return true
      const before = viewsOf(life)[viewsOf({ ...life, events: life.events.slice(0, at) }).length - 1]
      if (!event.members.includes(life.node) || !sameList(event.members, membersOf(all, event.number))) return false
      if (before === undefined) return true
      if (before >= event.number) return false
      const between = [...new Set(all.flatMap(viewsOf))]
        .filter((each) => each > before && each < event.number)
        .sort((a, b) => a - b)
      for (const each of between) {
        if (!membersOf(all, each).includes(life.node)) return true
        if (all.some((other) => viewsOf(other).includes(each) && viewsOf(other).includes(before))) return false
      }
      return true
    })
  )
  const inOneView = sends(all).every((message) => {
    const view = viewOf(all, message)
    return all.every((life) =>
      deliveries(life).every(({ at, id }) => {
        if (id !== message.id) return true
        if (viewAt(life, at) !== view) return false
        const asked = viewAt(message.life, message.at)
        return asked <= view && membersOf(all, view).includes(message.life.node)
      })
    )
  })
  const cut = (life: Life, view: number): ReadonlyArray<string> => {
    const ids = deliveries(life).flatMap(({ at, id }) => (viewAt(life, at) === view ? [id] : []))
    return [...new Set(ids)].filter((id) => sends(all).some((each) => each.id === id))
  }
  const together = all.every((a) =>
    all.every((b) =>
      viewsOf(a).every((view, i) => {
        const j = viewsOf(b).indexOf(view)
        const [next, other] = [viewsOf(a)[i + 1], viewsOf(b)[j + 1]]
        return j < 0 || next === undefined || next !== other || sameList(cut(a, view), cut(b, view))
      })
    )
  )
  return told && (!hasViews(all) || inOneView) && together
}

/** Whether senders and receivers go forward in views: of others, FIFO and causal order are asked for what is left of them. */
export const goForward = (trace: Delivery.Trace): boolean => {
  const all = lives(trace)
  const messages = sends(all)
  const rises = (views: ReadonlyArray<number | undefined>): boolean =>
    views.filter((view) => view !== undefined).every((view, i, known) => i === 0 || known[i - 1]! <= view)
  return all.every(
    (life) =>
      rises(messages.filter((message) => message.life === life).map((message) => viewOf(all, message))) &&
      rises(deliveries(life).flatMap(({ id }) => messages.filter((m) => m.id === id).map((m) => viewOf(all, m))))
  )
}

export const reference = {
  noDuplication: (trace: Delivery.Trace): boolean => {
    const all = lives(trace)
    return sends(all).every(({ id }) =>
      all.every((life) => deliveries(life).filter((each) => each.id === id).length <= 1)
    )
  },
  noCreation: (trace: Delivery.Trace): boolean => {
    const all = lives(trace)
    return all.every((life) =>
      life.events.every((event, at) => {
        if (event._tag !== "Deliver") return true
        const message = sends(all).find(({ id }) => id === event.id)
        if (message === undefined || (event.from !== undefined && event.from !== message.life.node)) return false
        if (message.life.node !== life.node) return true
        return message.life === life ? message.at < at : message.life.number < life.number
      })
    )
  },
  selfDelivery: (trace: Delivery.Trace): boolean => {
    const all = lives(trace)
    return sends(all).every((message) => {
      const view = viewOf(all, message)
      if (!isCorrect(all, message.life) || delivers(message.life, message.id)) return true
      return hasViews(all) && view !== undefined && !survived(all, message.life, view)
    })
  },
  validity: (trace: Delivery.Trace): boolean => {
    const all = lives(trace)
    return sends(all).every((message) => {
      const view = viewOf(all, message)
      if (!isCorrect(all, message.life)) return true
      if (hasViews(all) && (view === undefined || !survived(all, message.life, view))) return true
      return owed(all, message, () => false)
    })
  },
  reliable: (trace: Delivery.Trace): boolean => agreement(trace, false),
  uniform: (trace: Delivery.Trace): boolean => agreement(trace, true),
  fifo: (trace: Delivery.Trace): boolean => {
    const all = lives(trace)
    return inOrder(all, (a, b) => a.life === b.life && a.at < b.at)
  },
  causal: (trace: Delivery.Trace): boolean => {
    const all = lives(trace)
    const isBefore = happenedBefore(all)
    return isBefore !== undefined && inOrder(all, isBefore)
  },
  total: (trace: Delivery.Trace): boolean => total(trace, false),
  uniformTotal: (trace: Delivery.Trace): boolean => total(trace, true),
  viewSynchronous
}
