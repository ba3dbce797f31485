declare module "comedy" {
  interface Actor {
    createChild(definition: object, options?: object): Promise<Actor>
    send(topic: string, ...message: ReadonlyArray<unknown>): Promise<void>
    sendAndReceive(topic: string, ...message: ReadonlyArray<unknown>): Promise<any>
    destroy(): Promise<void>
  }
  interface System {
    rootActor(): Promise<Actor>
    listen(port: number, host: string): Promise<void>
  }
  export const createSystem: (options: { readonly test: boolean }) => System
}
