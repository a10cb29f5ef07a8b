#pragma once
// What the addon uses of Node's stable interfaces, declared here so that building it takes a C++ compiler and nothing else: N-API is the
// same in all versions of Node, and the OpenSSL functions, which Node exports, are so since OpenSSL 1.1. All are linked at load time;
// a runtime that lacks one refuses to load the addon.
#include <cstddef>
#include <cstdint>

extern "C" {

// N-API, https://nodejs.org/api/n-api.html
typedef struct napi_env__* napi_env;
typedef struct napi_value__* napi_value;
typedef struct napi_callback_info__* napi_callback_info;
typedef struct napi_threadsafe_function__* napi_threadsafe_function;
typedef int napi_status;
typedef int napi_typedarray_type;
typedef napi_value (*napi_callback)(napi_env, napi_callback_info);
typedef void (*napi_finalize)(napi_env, void* data, void* hint);
typedef void (*napi_threadsafe_function_call_js)(napi_env, napi_value callback, void* context, void* data);
struct napi_property_descriptor {
  const char* utf8name;
  napi_value name;
  napi_callback method;
  napi_callback getter;
  napi_callback setter;
  napi_value value;
  int attributes;
  void* data;
};
enum { napi_ok = 0, napi_tsfn_release = 0, napi_tsfn_nonblocking = 0, napi_default_method = 5 };

napi_status napi_define_class(napi_env, const char* name, size_t length, napi_callback constructor, void* data,
                              size_t count, const napi_property_descriptor*, napi_value* result);
napi_status napi_define_properties(napi_env, napi_value object, size_t count, const napi_property_descriptor*);
napi_status napi_set_named_property(napi_env, napi_value object, const char* name, napi_value value);
napi_status napi_get_cb_info(napi_env, napi_callback_info, size_t* count, napi_value* arguments, napi_value* self, void** data);
napi_status napi_wrap(napi_env, napi_value object, void* native, napi_finalize, void* hint, void** reference);
napi_status napi_unwrap(napi_env, napi_value object, void** native);
napi_status napi_create_external(napi_env, void* data, napi_finalize, void* hint, napi_value* result);
napi_status napi_get_value_external(napi_env, napi_value, void** data);
napi_status napi_get_value_int32(napi_env, napi_value, int32_t*);
napi_status napi_get_value_uint32(napi_env, napi_value, uint32_t*);
napi_status napi_get_value_double(napi_env, napi_value, double*);
napi_status napi_get_value_bool(napi_env, napi_value, bool*);
napi_status napi_get_value_string_utf8(napi_env, napi_value, char* buffer, size_t size, size_t* length);
napi_status napi_get_typedarray_info(napi_env, napi_value, napi_typedarray_type*, size_t* length, void** data,
                                     napi_value* buffer, size_t* byteOffset);
napi_status napi_get_array_length(napi_env, napi_value, uint32_t*);
napi_status napi_get_element(napi_env, napi_value, uint32_t index, napi_value* result);
napi_status napi_set_element(napi_env, napi_value, uint32_t index, napi_value value);
napi_status napi_create_array(napi_env, napi_value* result);
napi_status napi_create_buffer_copy(napi_env, size_t length, const void* data, void** copy, napi_value* result);
napi_status napi_create_uint32(napi_env, uint32_t, napi_value* result);
napi_status napi_create_double(napi_env, double, napi_value* result);
napi_status napi_create_string_utf8(napi_env, const char*, size_t length, napi_value* result);
napi_status napi_get_boolean(napi_env, bool, napi_value* result);
napi_status napi_throw_error(napi_env, const char* code, const char* message);
napi_status napi_adjust_external_memory(napi_env, int64_t change, int64_t* result);
napi_status napi_create_threadsafe_function(napi_env, napi_value function, napi_value resource, napi_value name,
                                            size_t maxQueue, size_t threads, void* finalizeData, napi_finalize,
                                            void* context, napi_threadsafe_function_call_js, napi_threadsafe_function* result);
napi_status napi_call_threadsafe_function(napi_threadsafe_function, void* data, int mode);
napi_status napi_release_threadsafe_function(napi_threadsafe_function, int mode);
napi_status napi_unref_threadsafe_function(napi_env, napi_threadsafe_function);

// OpenSSL, https://docs.openssl.org/3.0/man3/EVP_EncryptInit/ and SHA1_Init
typedef struct evp_cipher_ctx_st EVP_CIPHER_CTX;
typedef struct evp_cipher_st EVP_CIPHER;
struct SHA_CTX {
  uint32_t words[24]; // state, length, block and its fill
};

EVP_CIPHER_CTX* EVP_CIPHER_CTX_new(void);
void EVP_CIPHER_CTX_free(EVP_CIPHER_CTX*);
int EVP_CIPHER_CTX_ctrl(EVP_CIPHER_CTX*, int type, int argument, void* pointer);
const EVP_CIPHER* EVP_aes_128_ctr(void);
const EVP_CIPHER* EVP_aes_128_gcm(void);
int EVP_EncryptInit_ex(EVP_CIPHER_CTX*, const EVP_CIPHER*, void* engine, const unsigned char* key, const unsigned char* iv);
int EVP_EncryptUpdate(EVP_CIPHER_CTX*, unsigned char* out, int* outLength, const unsigned char* in, int inLength);
int EVP_EncryptFinal_ex(EVP_CIPHER_CTX*, unsigned char* out, int* outLength);
int EVP_DecryptInit_ex(EVP_CIPHER_CTX*, const EVP_CIPHER*, void* engine, const unsigned char* key, const unsigned char* iv);
int EVP_DecryptUpdate(EVP_CIPHER_CTX*, unsigned char* out, int* outLength, const unsigned char* in, int inLength);
int EVP_DecryptFinal_ex(EVP_CIPHER_CTX*, unsigned char* out, int* outLength);
int SHA1_Init(SHA_CTX*);
int SHA1_Update(SHA_CTX*, const void* data, size_t length);
int SHA1_Final(unsigned char* digest, SHA_CTX*);
enum { EVP_CTRL_AEAD_GET_TAG = 0x10, EVP_CTRL_AEAD_SET_TAG = 0x11 };
}
