// Batches on their way into native memory; fanout-native.ts is the other side.
#include <cstring>

#include "call.h"

namespace {

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

}  // namespace

void exportFrame(napi_env env, napi_value exports) {
  const napi_property_descriptor functions[] = {method("createFrame", createFrame)};
  napi_define_properties(env, exports, 1, functions);
}
