// What Node calls when it loads the addon.
#include "call.h"

extern "C" __attribute__((visibility("default"))) int32_t node_api_module_get_api_version_v1() { return 8; }

extern "C" __attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  exportAead(env, exports);
  exportFanout(env, exports);
  exportFrame(env, exports);
  exportSocket(env, exports);
  return exports;
}
