/**
 * Where processes can go back to together that checkpoint independently of each other.
 *
 * Each numbers its checkpoints from 0, its first state, and its intervals by the checkpoint that they follow. Along with a
 * message goes what its sender depends on: of each process the latest interval, its own included. A state that depends on an
 * interval that another one has gone back behind knows of messages that were never sent (orphans), and goes back itself;
 * which may make orphans of its own messages, and so on to the first states: the domino effect.
 *
 * B. Randell, "System structure for software fault tolerance" (1975); E. N. Elnozahy, L. Alvisi, Y.-M. Wang and D. B. Johnson,
 * "A survey of rollback-recovery protocols in message-passing systems" (2002), §3.1.
 */

/** Of each process that a checkpoint depends on, the latest interval. */
export type Dependencies = Readonly<Record<string, number>>

/** The checkpoints of each process, from its first state on. */
export type Histories = Readonly<Record<string, ReadonlyArray<Dependencies>>>

/** Of each process, the latest checkpoint that is consistent with those of the others. */
export const recoveryLine = (histories: Histories): Readonly<Record<string, number>> => {
  const line: Record<string, number> = {}
  for (const [process, { length }] of Object.entries(histories)) line[process] = length - 1
  let isConsistent = false
  while (!isConsistent) {
    isConsistent = true
    for (const process of Object.keys(line)) {
      while (line[process]! > 0 && isOrphan(process, histories[process]![line[process]!]!, line)) {
        line[process]!--
        isConsistent = false
      }
    }
  }
  return line
}

const isOrphan = (process: string, dependencies: Dependencies, line: Readonly<Record<string, number>>): boolean =>
  Object.entries(dependencies).some(([other, interval]) => other !== process && interval >= (line[other] ?? Infinity))
