// The addon's face to JavaScript, which src/io/webrtc/fanout-native.ts knows alone: it checks what it hands over, this trusts it.
#include <cerrno>
#include <cstring>

#include "fanout.h"
#include "udp-socket.h"

namespace {

/** The arguments of one call. */
class Call {
 public:
  Call(napi_env env, napi_callback_info info) : env(env) {
    size_t count = MAX_ARGUMENTS;
    napi_get_cb_info(env, info, &count, arguments_, &self, nullptr);
  }

  napi_value raw(size_t i) const { return arguments_[i]; }

  uint32_t u32(size_t i) const {
    uint32_t value = 0;
    napi_get_value_uint32(env, arguments_[i], &value);
    return value;
  }

  int32_t i32(size_t i) const {
    int32_t value = 0;
    napi_get_value_int32(env, arguments_[i], &value);
    return value;
  }

  double number(size_t i) const {
    double value = 0;
    napi_get_value_double(env, arguments_[i], &value);
    return value;
  }

  std::string text(size_t i) const {
    size_t length = 0;
    napi_get_value_string_utf8(env, arguments_[i], nullptr, 0, &length);
    std::string value(length, '\0');
    napi_get_value_string_utf8(env, arguments_[i], value.data(), length + 1, &length);
    return value;
  }

  template <typename Element>
  std::pair<Element*, size_t> array(size_t i) const {
    return elementsOf<Element>(arguments_[i]);
  }

  template <typename Element>
  std::pair<Element*, size_t> elementsOf(napi_value value) const {
    size_t length = 0;
    void* data = nullptr;
    napi_get_typedarray_info(env, value, nullptr, &length, &data, nullptr, nullptr);
    return {static_cast<Element*>(data), length};
  }

  FramePtr frame(size_t i) const {
    void* data = nullptr;
    napi_get_value_external(env, arguments_[i], &data);
    return *static_cast<FramePtr*>(data);
  }

  const napi_env env;
  napi_value self = nullptr;

 private:
  static constexpr size_t MAX_ARGUMENTS = 6;
  napi_value arguments_[MAX_ARGUMENTS] = {};
};

napi_value toNumber(napi_env env, double number) {
  napi_value value = nullptr;
  napi_create_double(env, number, &value);
  return value;
}

/** Makes a JavaScript function callable from any thread. */
napi_threadsafe_function createWake(napi_env env, napi_value function) {
  napi_value name = nullptr;
  napi_create_string_utf8(env, "whipstitch", static_cast<size_t>(-1), &name);
  napi_threadsafe_function wake = nullptr;
  napi_create_threadsafe_function(env, function, nullptr, name, 0, 1, nullptr, nullptr, nullptr, nullptr, &wake);
  return wake;
}

/** What a JavaScript object of class Fanout holds. */
struct Holder {
  std::unique_ptr<Fanout> fanout;
  napi_threadsafe_function wake = nullptr;

  ~Holder() { close(); }

  void close() {
    fanout.reset();  // ends the threads, which call `wake`
    if (wake) napi_release_threadsafe_function(wake, napi_tsfn_release);
    wake = nullptr;
  }
};

/** The fan-out of `this`; null once it is closed. */
Fanout* fanoutOf(const Call& call) {
  void* holder = nullptr;
  napi_unwrap(call.env, call.self, &holder);
  return holder ? static_cast<Holder*>(holder)->fanout.get() : nullptr;
}

/** new Fanout(ipv4, ipv6, threads, wake) */
napi_value construct(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto holder = std::make_unique<Holder>();
  holder->wake = createWake(env, call.raw(3));
  napi_unref_threadsafe_function(env, holder->wake);
  napi_threadsafe_function wake = holder->wake;
  holder->fanout = std::make_unique<Fanout>(call.i32(0), call.i32(1), call.u32(2), [wake] {
    napi_call_threadsafe_function(wake, nullptr, napi_tsfn_nonblocking);
  });
  const auto destroy = [](napi_env, void* data, void*) { delete static_cast<Holder*>(data); };
  napi_wrap(env, call.self, holder.release(), destroy, nullptr, nullptr);
  return call.self;
}

/** close() */
napi_value closeFanout(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  void* holder = nullptr;
  napi_unwrap(env, call.self, &holder);
  if (holder) static_cast<Holder*>(holder)->close();
  return nullptr;
}

/** addViewer(isGcm, cipherKey, salt, authKey): viewerId */
napi_value addViewer(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  Fanout* fanout = fanoutOf(call);
  if (!fanout) return toNumber(env, 0);
  auto protector = std::make_shared<Protector>(call.u32(0) != 0, call.array<uint8_t>(1).first,
                                               call.array<uint8_t>(2).first, call.array<uint8_t>(3).first);
  return toNumber(env, fanout->addViewer(std::move(protector)));
}

/** addTrack(viewerId, trackId, fields, mid), where `fields` are numbers in the order of `TRACK_FIELDS`. */
napi_value addTrack(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  Fanout* fanout = fanoutOf(call);
  if (!fanout) return nullptr;
  const uint32_t* field = call.array<uint32_t>(2).first;
  const auto [mid, midLength] = call.array<uint8_t>(3);
  Track track;
  track.trackId = call.text(1);
  track.ssrc = field[0];
  track.payloadType = static_cast<uint8_t>(field[1]);
  track.hasRtx = field[4] != 0;
  track.rtxSsrc = field[5];
  track.rtxPayloadType = static_cast<uint8_t>(field[6]);
  track.absSendTimeId = static_cast<uint8_t>(field[7]);
  track.transportCcId = static_cast<uint8_t>(field[8]);
  for (size_t i = 0; i < 3; i++) track.passedIds[i] = static_cast<uint8_t>(field[10 + i]);
  if (midLength > 0) {
    track.mid.resize((midLength + 4) & ~size_t{3});
    track.mid[0] = static_cast<uint8_t>(field[9] << 4 | (midLength - 1));
    std::memcpy(&track.mid[1], mid, midLength);
  }
  fanout->addTrack(call.u32(0), std::move(track), static_cast<uint16_t>(field[2]), field[3]);
  return nullptr;
}

/** setAddress(viewerId, family, host, port); family 0 for what JavaScript sends itself. */
napi_value setAddress(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  Fanout* fanout = fanoutOf(call);
  if (!fanout) return nullptr;
  Address address{};
  const uint32_t family = call.u32(1);
  if (family != 0) {
    parseAddress(call.text(2), static_cast<uint16_t>(call.u32(3)), family == 4 ? AF_INET : AF_INET6, address);
  }
  fanout->setAddress(call.u32(0), address);
  return nullptr;
}

/** removeViewer(viewerId) */
napi_value removeViewer(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (Fanout* fanout = fanoutOf(call)) fanout->removeViewer(call.u32(0));
  return nullptr;
}

/** joinTrack(viewerId, trackId, sourceId, sequenceOffset or -1, timestampShift) */
napi_value joinTrack(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  Fanout* fanout = fanoutOf(call);
  if (!fanout) return nullptr;
  std::optional<uint16_t> sequenceOffset;
  if (call.i32(3) >= 0) sequenceOffset = static_cast<uint16_t>(call.i32(3));
  fanout->joinTrack(call.u32(0), call.text(1), call.text(2), sequenceOffset, call.u32(4));
  return nullptr;
}

/** leaveTrack(viewerId, trackId) */
napi_value leaveTrack(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (Fanout* fanout = fanoutOf(call)) fanout->leaveTrack(call.u32(0), call.text(1));
  return nullptr;
}

/** setThinning(viewerId, trackId, level), a level by its place in `THINNING_LEVELS` */
napi_value setThinning(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  Fanout* fanout = fanoutOf(call);
  ViewerStream* stream = fanout ? fanout->find(call.u32(0), call.text(1)) : nullptr;
  if (stream) stream->setThinning(static_cast<Thinning>(call.u32(2)));
  return nullptr;
}

/** send(sourceId, frame, absSendTime) */
napi_value send(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (Fanout* fanout = fanoutOf(call)) fanout->send(call.text(0), call.frame(1), call.u32(2));
  return nullptr;
}

/** sendTo(viewerId, trackId, frame, sequenceOffset, timestamp, absSendTime) */
napi_value sendTo(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  Fanout* fanout = fanoutOf(call);
  if (!fanout) return nullptr;
  const uint16_t sequenceOffset = static_cast<uint16_t>(call.i32(3));
  fanout->sendTo(call.u32(0), call.text(1), call.frame(2), sequenceOffset, call.u32(4), call.u32(5));
  return nullptr;
}

/** resend(viewerId, trackId, sequenceNumbers, absSendTime): how many were still there */
napi_value resend(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  Fanout* fanout = fanoutOf(call);
  if (!fanout) return toNumber(env, 0);
  const auto [numbers, count] = call.array<uint16_t>(2);
  return toNumber(env, fanout->resend(call.u32(0), call.text(1), numbers, count, call.u32(3)));
}

/** stats(viewerId, trackId, into): false for what is not known; `into` are numbers in the order of `STATS_FIELDS`. */
napi_value readStats(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  Fanout* fanout = fanoutOf(call);
  const ViewerStream* stream = fanout ? fanout->find(call.u32(0), call.text(1)) : nullptr;
  napi_value isKnown = nullptr;
  napi_get_boolean(env, stream != nullptr, &isKnown);
  if (!stream) return isKnown;
  const StreamStats& stats = stream->stats();
  double* into = call.array<double>(2).first;
  into[0] = stats.packetCount;
  into[1] = stats.octetCount;
  into[2] = stats.resentCount;
  into[3] = stats.rtpTimestamp;
  into[4] = stats.ptsUs;
  into[5] = stream->nextSequenceNumber();
  into[6] = stats.latestTimestamp ? static_cast<double>(*stats.latestTimestamp) : -1;
  into[7] = stream->thinning() ? stream->thinning()->leftOutCount() : 0;
  into[8] = stream->thinning() && stream->thinning()->isWaiting() ? 1 : 0;
  return isKnown;
}

/** takeForwarded(): viewer and datagram in turn */
napi_value takeForwarded(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  napi_value list = nullptr;
  napi_create_array(env, &list);
  Fanout* fanout = fanoutOf(call);
  uint32_t at = 0;
  for (const Forwarded& one : fanout ? fanout->takeForwarded() : std::vector<Forwarded>()) {
    napi_value datagram = nullptr;
    napi_create_buffer_copy(env, one.datagram.size(), one.datagram.data(), nullptr, &datagram);
    napi_set_element(env, list, at++, toNumber(env, one.viewerId));
    napi_set_element(env, list, at++, datagram);
  }
  return list;
}

/** drain(): waits until everything is sent */
napi_value drain(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (Fanout* fanout = fanoutOf(call)) fanout->drain();
  return nullptr;
}

/** errorCount() */
napi_value errorCount(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const Fanout* fanout = fanoutOf(call);
  return toNumber(env, fanout ? static_cast<double>(fanout->errorCount()) : 0);
}

/** Extensions of all packets, one behind the other: place of the packet (2 bytes, little-endian), name, length, value. */
void readExtensions(Frame& frame, const uint8_t* at, const uint8_t* end) {
  while (at < end) {
    FramePacket& packet = frame.packets[at[0] | at[1] << 8];
    PassedExtension extension{at[2], at[3], {}};
    std::memcpy(extension.value, at + 4, extension.length);
    if (packet.extensionCount++ == 0) packet.firstExtension = static_cast<uint32_t>(frame.extensions.size());
    frame.extensions.push_back(extension);
    at += 4 + extension.length;
  }
}

/** createFrame(timestamp, ptsUs, flags, headers, payloads, extensions); a header is the sequence number, and the marker in bit 16. */
napi_value createFrame(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto frame = std::make_shared<Frame>();
  frame->timestamp = call.u32(0);
  frame->ptsUs = call.number(1);
  frame->startsKeyframe = (call.u32(2) & 1) != 0;
  frame->isDisposable = (call.u32(2) & 2) != 0;
  const auto [headers, count] = call.array<uint32_t>(3);
  frame->packets.reserve(count);
  frame->bytes.reserve(count * 1250);
  for (uint32_t i = 0; i < count; i++) {
    napi_value payload = nullptr;
    napi_get_element(env, call.raw(4), i, &payload);
    const auto [data, length] = call.elementsOf<uint8_t>(payload);
    const uint32_t offset = static_cast<uint32_t>(frame->bytes.size());
    frame->packets.push_back({offset, static_cast<uint16_t>(length), static_cast<uint16_t>(headers[i]),
                              (headers[i] >> 16 & 1) != 0, 0, 0});
    if (length > 0) frame->bytes.insert(frame->bytes.end(), data, data + length);
  }
  frame->bytes.shrink_to_fit();
  const auto [extensions, extensionBytes] = call.array<uint8_t>(5);
  if (extensionBytes > 0) readExtensions(*frame, extensions, extensions + extensionBytes);
  const auto size = static_cast<int64_t>(frame->bytes.capacity());
  int64_t total = 0;
  napi_adjust_external_memory(env, size, &total);
  const auto release = [](napi_env env, void* data, void*) {
    auto* held = static_cast<FramePtr*>(data);
    int64_t total = 0;
    napi_adjust_external_memory(env, -static_cast<int64_t>((*held)->bytes.capacity()), &total);
    delete held;
  };
  napi_value external = nullptr;
  napi_create_external(env, new FramePtr(std::move(frame)), release, nullptr, &external);
  return external;
}

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

napi_property_descriptor method(const char* name, napi_callback callback) {
  return {name, nullptr, callback, nullptr, nullptr, nullptr, napi_default_method, nullptr};
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int32_t node_api_module_get_api_version_v1() { return 8; }

extern "C" __attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  const napi_property_descriptor methods[] = {
      method("close", closeFanout),       method("addViewer", addViewer), method("addTrack", addTrack),
      method("setAddress", setAddress),   method("joinTrack", joinTrack), method("leaveTrack", leaveTrack),
      method("removeViewer", removeViewer), method("send", send),         method("sendTo", sendTo),
      method("resend", resend),           method("stats", readStats),     method("takeForwarded", takeForwarded),
      method("setThinning", setThinning), method("drain", drain),             method("errorCount", errorCount),
  };
  napi_value fanout = nullptr;
  napi_define_class(env, "Fanout", static_cast<size_t>(-1), construct, nullptr, sizeof methods / sizeof methods[0],
                    methods, &fanout);
  napi_set_named_property(env, exports, "Fanout", fanout);
  const napi_property_descriptor socketMethods[] = {
      method("close", closeSocket),   method("port", portOf),     method("send", sendDatagram),
      method("receive", receive),     method("droppedCount", droppedCount),
  };
  napi_value socket = nullptr;
  napi_define_class(env, "Socket", static_cast<size_t>(-1), constructSocket, nullptr,
                    sizeof socketMethods / sizeof socketMethods[0], socketMethods, &socket);
  napi_set_named_property(env, exports, "Socket", socket);
  const napi_property_descriptor functions[] = {method("createFrame", createFrame), method("openSocket", openSocket)};
  napi_define_properties(env, exports, 2, functions);
  return exports;
}
