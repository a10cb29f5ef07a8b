import { isIPv6 } from "node:net"
import { getSystemErrorName } from "node:util"
import type { NativeAddon } from "../native/addon.ts"
import type { OpenUdpSocket } from "./udp-socket.ts"

/**
 * The addon's sockets: a thread receives many datagrams at a time and hands them over once a millisecond at most, and the native fan-out sends from
 * the same ones. What the system does not take at once is lost, as it could be in any network.
 */
export function nativeSockets(addon: NativeAddon): OpenUdpSocket {
  return async (host, port, events) => {
    const family = isIPv6(host) ? 6 : 4
    const descriptor = addon.openSocket(family, host, port)
    if (descriptor < 0) {
      const code = getSystemErrorName(descriptor)
      throw Object.assign(new Error(`${code}: bind ${host} port ${port}`), { code })
    }
    let isClosed = false
    const socket = new addon.Socket(descriptor, () => {
      const [bytes, ...origins] = socket.receive()
      let end = 0
      for (let i = 0; i < origins.length && !isClosed; i += 3) {
        const start = end
        end += origins[i] as number
        events.datagram(bytes.subarray(start, end), origins[i + 1] as string, origins[i + 2] as number)
      }
    })
    return {
      family,
      address: host,
      port: socket.port(),
      descriptor,
      get droppedDatagrams() {
        return socket.droppedCount()
      },
      send: (datagram, toPort, address) => {
        if (!socket.send(datagram, family, address, toPort)) events.error()
      },
      close: async () => {
        isClosed = true
        socket.close()
      },
    }
  }
}
