// Class Aead of the addon; aead-native.ts is its other side.
#include <memory>

#include "aead.h"
#include "call.h"

namespace {

Aead* aeadOf(const Call& call) {
  void* aead = nullptr;
  napi_unwrap(call.env, call.self, &aead);
  return static_cast<Aead*>(aead);
}

napi_value toBoolean(napi_env env, bool isTrue) {
  napi_value value = nullptr;
  napi_get_boolean(env, isTrue, &value);
  return value;
}

/** new Aead(key) */
napi_value construct(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto aead = std::make_unique<Aead>(call.array<uint8_t>(0).first);
  const auto destroy = [](napi_env, void* data, void*) { delete static_cast<Aead*>(data); };
  napi_wrap(env, call.self, aead.release(), destroy, nullptr, nullptr);
  return call.self;
}

/** seal(nonce, additional, plaintext, output, offset): false where OpenSSL fails */
napi_value seal(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const auto [additional, additionalLength] = call.array<uint8_t>(1);
  const auto [plaintext, length] = call.array<uint8_t>(2);
  uint8_t* out = call.array<uint8_t>(3).first + call.u32(4);
  const uint8_t* nonce = call.array<uint8_t>(0).first;
  return toBoolean(env, aeadOf(call)->seal(out, nonce, additional, additionalLength, plaintext, length));
}

/** open(nonce, additional, sealed, output, offset): false where it is not authentic; `sealed` ends with the tag */
napi_value open(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const auto [additional, additionalLength] = call.array<uint8_t>(1);
  const auto [sealed, length] = call.array<uint8_t>(2);
  uint8_t* out = call.array<uint8_t>(3).first + call.u32(4);
  const uint8_t* nonce = call.array<uint8_t>(0).first;
  const size_t textLength = length - Aead::TAG_BYTES;
  return toBoolean(env, aeadOf(call)->open(out, nonce, additional, additionalLength, sealed, textLength));
}

}  // namespace

void exportAead(napi_env env, napi_value exports) {
  const napi_property_descriptor methods[] = {method("seal", seal), method("open", open)};
  exportClass(env, exports, "Aead", construct, methods);
}
