import type { StreamName } from "../../hub/stream-name.ts"
import { parseStreamName } from "../../hub/stream-name.ts"
import { MiniSdpClient } from "./client.ts"
import { StreamPull, type StreamPullOptions } from "./stream-pull.ts"

/** Starts to pull each stream of the configuration. */
export function startPulls(
  pulls: readonly { readonly stream: string; readonly url: string }[],
  options: Omit<StreamPullOptions, "name" | "url" | "client">,
): { close(reason: string): void } {
  const client = new MiniSdpClient()
  const started = pulls.map(({ stream, url }) => new StreamPull({ ...options, client, name: nameOf(stream), url }))
  return {
    close: (reason) => {
      for (const pull of started) pull.close(reason)
    },
  }
}

function nameOf(stream: string): StreamName {
  const [app = "", name = ""] = stream.split("/")
  return parseStreamName(app, name)
}
