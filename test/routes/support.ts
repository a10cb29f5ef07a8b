import type { Hono } from "hono"
import { type AppServices, createApp } from "../../routes/app.ts"
import type { SessionRequest } from "../../routes/signaling.ts"

export const ANSWER = { id: "k3J9vQ0xTz4mB7nLw2RdYg", answerSdp: "v=0\r\n", etag: "ice-1" }

/** An application over fake services; what it was asked is in `requests`, what it took for a bug in `bugs`. */
export function fakeApp(overrides: Partial<AppServices> = {}, maxBodyBytes = 1_000) {
  const requests: SessionRequest[] = []
  const bugs: Error[] = []
  const ended: string[] = []
  const open = async (request: SessionRequest) => {
    requests.push(request)
    return ANSWER
  }
  const services: AppServices = {
    publish: open,
    play: open,
    find: (id) => (id === ANSWER.id ? { etag: ANSWER.etag, remoteUfrag: "EsAw" } : undefined),
    end: (id) => {
      ended.push(id)
      return id === ANSWER.id
    },
    streams: () => [],
    info: () => ({ version: "1.2.3", rtmpPort: 1935 }),
    health: () => ({ status: "ok", version: "1.2.3", uptimeSeconds: 5, streams: 0, viewers: 0 }),
    ...overrides,
  }
  const app: Hono = createApp(services, {
    onBug: (error) => bugs.push(error),
    maxBodyBytes,
    localAddress: () => "192.0.2.1",
  })
  return { app, requests, bugs, ended }
}

export const SDP = { "content-type": "application/sdp" }
