declare module "comedy" {
  interface Actor {
    createChild(definition: object): Promise<Actor>
    send(topic: string, ...message: ReadonlyArray<unknown>): Promise<void>
    sendAndReceive(topic: string, ...message: ReadonlyArray<unknown>): Promise<any>
    destroy(): Promise<void>
  }
  export const createSystem: (options: { readonly test: boolean }) => { rootActor(): Promise<Actor> }
}
