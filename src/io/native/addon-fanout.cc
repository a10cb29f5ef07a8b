// Class Fanout of the addon; fanout-native.ts is its other side.
#include <cstring>

#include "call.h"
#include "fanout.h"
#include "udp-socket.h"

namespace {

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
  auto protector = std::make_unique<Protector>(call.u32(0) != 0, call.array<uint8_t>(1).first,
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
  track.transportCcId = static_cast<uint8_t>(field[13] != 0 ? 0 : field[8]);
  track.replayTransportCcId = static_cast<uint8_t>(field[8]);
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

/** sendTo(viewerId, trackId, frame, sequenceOffset, timestamp, absSendTime): the viewer's next transport-wide number */
napi_value sendTo(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  Fanout* fanout = fanoutOf(call);
  if (!fanout) return toNumber(env, 0);
  const uint16_t sequenceOffset = static_cast<uint16_t>(call.i32(3));
  return toNumber(env, fanout->sendTo(call.u32(0), call.text(1), call.frame(2), sequenceOffset, call.u32(4), call.u32(5)));
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

}  // namespace

void exportFanout(napi_env env, napi_value exports) {
  const napi_property_descriptor methods[] = {
      method("close", closeFanout),
      method("addViewer", addViewer),
      method("addTrack", addTrack),
      method("setAddress", setAddress),
      method("joinTrack", joinTrack),
      method("leaveTrack", leaveTrack),
      method("removeViewer", removeViewer),
      method("send", send),
      method("sendTo", sendTo),
      method("resend", resend),
      method("stats", readStats),
      method("takeForwarded", takeForwarded),
      method("setThinning", setThinning),
      method("drain", drain),
      method("errorCount", errorCount),
  };
  exportClass(env, exports, "Fanout", construct, methods);
}
