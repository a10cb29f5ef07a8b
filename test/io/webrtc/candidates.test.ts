import { expect, test } from "vitest"
import { type CandidateInput, chooseCandidates } from "../../../src/io/webrtc/candidates.ts"

const LOOPBACK = [
  { interfaceName: "lo", address: "127.0.0.1" },
  { interfaceName: "lo", address: "::1" },
]
const HOST = [
  ...LOOPBACK,
  { interfaceName: "docker0", address: "172.17.0.1" },
  { interfaceName: "eth0", address: "fe80::1" },
  { interfaceName: "eth0", address: "fd00::5" },
  { interfaceName: "eth0", address: "2001:db8::5" },
  { interfaceName: "eth0", address: "192.168.1.5" },
  { interfaceName: "eth1", address: "10.0.0.5" },
]
const ALL = ["0.0.0.0", "::"]

function addresses(input: Partial<CandidateInput>): string[] {
  const all = { publicAddresses: [], boundHosts: ALL, interfaces: HOST, port: 8000, hasTcp: false, ...input }
  return chooseCandidates(all).map(({ address }) => address)
}

test.each<{ name: string; input: Partial<CandidateInput>; expected: string[] }>([
  {
    name: "real interfaces, IPv4 first, without link-local, loopback and bridges",
    input: {},
    expected: ["192.168.1.5", "10.0.0.5", "2001:db8::5", "fd00::5"],
  },
  {
    name: "the configured addresses first",
    input: { publicAddresses: ["203.0.113.9", "192.168.1.5"] },
    expected: ["203.0.113.9", "192.168.1.5", "10.0.0.5", "2001:db8::5", "fd00::5"],
  },
  {
    name: "the address that the request came in on before the others",
    input: { requestAddress: "::ffff:10.0.0.5" },
    expected: ["10.0.0.5", "192.168.1.5", "2001:db8::5", "fd00::5"],
  },
  {
    name: "loopback last for a request from this machine",
    input: { requestAddress: "127.0.0.1", boundHosts: ["0.0.0.0"] },
    expected: ["192.168.1.5", "10.0.0.5", "172.17.0.1", "127.0.0.1"],
  },
  { name: "only what is bound", input: { boundHosts: ["10.0.0.5"] }, expected: ["10.0.0.5"] },
  { name: "loopback where only that is bound", input: { boundHosts: ["127.0.0.1"] }, expected: ["127.0.0.1"] },
  { name: "loopback where there is nothing else", input: { interfaces: LOOPBACK }, expected: ["127.0.0.1", "::1"] },
  {
    name: "a bridge where it is all there is",
    input: { interfaces: HOST.slice(0, 3), boundHosts: ["0.0.0.0"] },
    expected: ["172.17.0.1"],
  },
])("announces $name", ({ input, expected }) => {
  expect(addresses(input)).toEqual(expected)
})

test("rule 15: announces each address by UDP first, and then all of them by TCP on the same port number", () => {
  const input = { publicAddresses: [], boundHosts: ["0.0.0.0"], interfaces: HOST.slice(-2), port: 8000, hasTcp: true }
  expect(chooseCandidates(input)).toEqual([
    { protocol: "udp", address: "192.168.1.5", port: 8000 },
    { protocol: "udp", address: "10.0.0.5", port: 8000 },
    { protocol: "tcp", address: "192.168.1.5", port: 8000 },
    { protocol: "tcp", address: "10.0.0.5", port: 8000 },
  ])
})
