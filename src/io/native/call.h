#pragma once
// What all functions that JavaScript calls have in common. aead-native.ts, fanout-native.ts and udp-socket-native.ts know them alone: those check what
// they hand over, this trusts it.
#include <string>
#include <utility>

#include "abi.h"
#include "frame.h"

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

inline napi_value toNumber(napi_env env, double number) {
  napi_value value = nullptr;
  napi_create_double(env, number, &value);
  return value;
}

/** Makes a JavaScript function callable from any thread. */
inline napi_threadsafe_function createWake(napi_env env, napi_value function) {
  napi_value name = nullptr;
  napi_create_string_utf8(env, "whipstitch", static_cast<size_t>(-1), &name);
  napi_threadsafe_function wake = nullptr;
  napi_create_threadsafe_function(env, function, nullptr, name, 0, 1, nullptr, nullptr, nullptr, nullptr, &wake);
  return wake;
}

inline napi_property_descriptor method(const char* name, napi_callback callback) {
  return {name, nullptr, callback, nullptr, nullptr, nullptr, napi_default_method, nullptr};
}

/** Adds a class to the exports. */
template <size_t count>
void exportClass(napi_env env, napi_value exports, const char* name, napi_callback constructor,
                 const napi_property_descriptor (&methods)[count]) {
  napi_value type = nullptr;
  napi_define_class(env, name, static_cast<size_t>(-1), constructor, nullptr, count, methods, &type);
  napi_set_named_property(env, exports, name, type);
}

/** Each adds what its file holds. */
void exportAead(napi_env env, napi_value exports);
void exportFanout(napi_env env, napi_value exports);
void exportFrame(napi_env env, napi_value exports);
void exportSocket(napi_env env, napi_value exports);
