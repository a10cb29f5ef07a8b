#include <emscripten.h>
EMSCRIPTEN_KEEPALIVE int x(void) { return 1; }
