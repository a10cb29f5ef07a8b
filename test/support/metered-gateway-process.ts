import { createInterface } from "node:readline"
import { createGateway } from "../../src/gateway.ts"

/*
 * A process: a gateway with the configuration in its argument. The first line of its output tells its URLs; each line of its input is
 * answered with what it holds at that moment. To be started with --expose-gc.
 */

const gateway = await createGateway(JSON.parse(process.argv[2] ?? "{}"))
print(gateway.urls)
for await (const _ of createInterface({ input: process.stdin })) {
  globalThis.gc?.()
  const resources: Record<string, number> = {}
  for (const type of process.getActiveResourcesInfo()) resources[type] = (resources[type] ?? 0) + 1
  print({ resources, heapBytes: process.memoryUsage().heapUsed, externalBytes: process.memoryUsage().external })
}
await gateway.close()

function print(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}
