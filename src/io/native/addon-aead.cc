// Class Aead of the addon; aead-native.ts is its other side.
#include <memory>

#include "aead.h"
#include "call.h"

namespace {

/** new Aead(key) */
napi_value construct(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto aead = std::make_unique<Aead>(call.array<uint8_t>(0).first);
  const auto destroy = [](napi_env, void* data, void*) { delete static_cast<Aead*>(data); };
  napi_wrap(env, call.self, aead.release(), destroy, nullptr, nullptr);
  return call.self;
}

/** Calls seal or open with (nonce, additional, text, output, offset). */
template <bool (Aead::*action)(uint8_t*, const uint8_t*, Bytes, Bytes)>
napi_value act(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const auto [additional, additionalLength] = call.array<uint8_t>(1);
  const auto [text, length] = call.array<uint8_t>(2);
  uint8_t* out = call.array<uint8_t>(3).first + call.u32(4);
  const uint8_t* nonce = call.array<uint8_t>(0).first;
  void* aead = nullptr;
  napi_unwrap(env, call.self, &aead);
  const bool isDone = (static_cast<Aead*>(aead)->*action)(out, nonce, {additional, additionalLength}, {text, length});
  napi_value result = nullptr;
  napi_get_boolean(env, isDone, &result);
  return result;
}

}  // namespace

void exportAead(napi_env env, napi_value exports) {
  const napi_property_descriptor methods[] = {method("seal", act<&Aead::seal>), method("open", act<&Aead::open>)};
  exportClass(env, exports, "Aead", construct, methods);
}
