// Class Socket of the addon; udp-socket-native.ts is its other side.
#include <cerrno>
#include <memory>

#include "call.h"
#include "udp-socket.h"

namespace {

/** openSocket(family, host, port): descriptor, or minus the number of the error */
napi_value openSocket(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const int family = call.u32(0) == 4 ? AF_INET : AF_INET6;
  Address address{};
  const bool isAddress = parseAddress(call.text(1), static_cast<uint16_t>(call.u32(2)), family, address);
  return toNumber(env, isAddress ? openUdpSocket(address) : -EINVAL);
}

/** What a JavaScript object of class Socket holds. */
struct SocketHolder {
  std::unique_ptr<UdpSocket> socket;
  napi_threadsafe_function wake = nullptr;

  ~SocketHolder() { close(); }

  void close() {
    socket.reset();  // ends the thread, which calls `wake`
    if (wake) napi_release_threadsafe_function(wake, napi_tsfn_release);
    wake = nullptr;
  }
};

/** The socket of `this`; null once it is closed. */
UdpSocket* socketOf(const Call& call) {
  void* holder = nullptr;
  napi_unwrap(call.env, call.self, &holder);
  return holder ? static_cast<SocketHolder*>(holder)->socket.get() : nullptr;
}

/** new Socket(descriptor, wake) */
napi_value constructSocket(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto holder = std::make_unique<SocketHolder>();
  holder->wake = createWake(env, call.raw(1));
  napi_threadsafe_function wake = holder->wake;
  holder->socket = std::make_unique<UdpSocket>(call.i32(0), [wake] {
    napi_call_threadsafe_function(wake, nullptr, napi_tsfn_nonblocking);
  });
  const auto destroy = [](napi_env, void* data, void*) { delete static_cast<SocketHolder*>(data); };
  napi_wrap(env, call.self, holder.release(), destroy, nullptr, nullptr);
  return call.self;
}

/** close() */
napi_value closeSocket(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  void* holder = nullptr;
  napi_unwrap(env, call.self, &holder);
  if (holder) static_cast<SocketHolder*>(holder)->close();
  return nullptr;
}

/** port() */
napi_value portOf(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const UdpSocket* socket = socketOf(call);
  return toNumber(env, socket ? socket->port() : 0);
}

/** droppedCount() */
napi_value droppedCount(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const UdpSocket* socket = socketOf(call);
  return toNumber(env, socket ? static_cast<double>(socket->droppedCount()) : 0);
}

/** send(datagram, family, host, port): false where the system does not take it */
napi_value sendDatagram(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  UdpSocket* socket = socketOf(call);
  const auto [data, length] = call.array<uint8_t>(0);
  Address to{};
  const int family = call.u32(1) == 4 ? AF_INET : AF_INET6;
  const uint32_t port = call.u32(3);
  const bool isAddress = port <= 0xffff && parseAddress(call.text(2), static_cast<uint16_t>(port), family, to);
  napi_value isSent = nullptr;
  napi_get_boolean(env, socket && isAddress && socket->send(data, length, to), &isSent);
  return isSent;
}

/** receive(): all datagrams behind one another in one buffer, then length, address and port of each */
napi_value receive(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  UdpSocket* socket = socketOf(call);
  const Received received = socket ? socket->takeAll() : Received();
  napi_value list = nullptr;
  napi_create_array(env, &list);
  napi_value bytes = nullptr;
  napi_create_buffer_copy(env, received.bytes.size(), received.bytes.data(), nullptr, &bytes);
  uint32_t at = 0;
  napi_set_element(env, list, at++, bytes);
  for (const Received::Origin& origin : received.origins) {
    const std::string host = formatAddress(origin.from);
    napi_value address = nullptr;
    napi_create_string_utf8(env, host.data(), host.size(), &address);
    napi_set_element(env, list, at++, toNumber(env, origin.length));
    napi_set_element(env, list, at++, address);
    napi_set_element(env, list, at++, toNumber(env, ntohs(origin.from.v4.sin_port)));
  }
  return list;
}

}  // namespace

void exportSocket(napi_env env, napi_value exports) {
  const napi_property_descriptor methods[] = {
      method("close", closeSocket),
      method("port", portOf),
      method("send", sendDatagram),
      method("receive", receive),
      method("droppedCount", droppedCount),
  };
  exportClass(env, exports, "Socket", constructSocket, methods);
  const napi_property_descriptor functions[] = {method("openSocket", openSocket)};
  napi_define_properties(env, exports, 1, functions);
}
