// The few functions of libcurl that are needed, found when they are first called: no header of libcurl, and no library at link time.
// libcurl.so.4 is there wherever Swift's FoundationNetworking is, which loads it. Names and numbers are those of curl/curl.h, whose
// application binary interface hasn't changed since 2006.
#pragma once
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

typedef struct CurlHandle CurlHandle;
typedef struct CurlList CurlList;
typedef size_t (*CurlReceiver)(char *bytes, size_t size, size_t count, void *context);
typedef int (*CurlProgress)(void *context, int64_t toReceive, int64_t received, int64_t toSend, int64_t sent);

enum {
  CURLOPT_WRITEDATA = 10001, CURLOPT_URL = 10002, CURLOPT_LOW_SPEED_LIMIT = 19, CURLOPT_LOW_SPEED_TIME = 20, CURLOPT_HTTPHEADER = 10023,
  CURLOPT_HEADERDATA = 10029, CURLOPT_NOPROGRESS = 43, CURLOPT_XFERINFODATA = 10057, CURLOPT_HTTPGET = 80, CURLOPT_NOSIGNAL = 99,
  CURLOPT_TIMEOUT_MS = 155, CURLOPT_CONNECTTIMEOUT_MS = 156, CURLOPT_PROTOCOLS = 181, CURLOPT_USERAGENT = 10018,
  CURLOPT_WRITEFUNCTION = 20011, CURLOPT_HEADERFUNCTION = 20079, CURLOPT_XFERINFOFUNCTION = 20219, CURLOPT_HTTP09_ALLOWED = 285,
  CURLOPT_POSTFIELDSIZE = 60, CURLOPT_COPYPOSTFIELDS = 10165,
};
enum { CURLPROTO_HTTP = 1, CURLPROTO_HTTPS = 2 };

static inline void *curl_symbol(const char *name) {
  static void *library;
  if (!library) library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  return library ? dlsym(library, name) : NULL;
}

/// 0, or why libcurl can't be used. To be called once, before all else.
static inline int curl_start(void) {
  int (*start)(long) = (int (*)(long))curl_symbol("curl_global_init");
  return start ? start(3) : -1;
}

static inline CurlHandle *_Nullable curl_open(void) {
  CurlHandle *(*open)(void) = (CurlHandle * (*)(void)) curl_symbol("curl_easy_init");
  return open ? open() : NULL;
}

static inline void curl_close(CurlHandle *_Nonnull handle) { ((void (*)(CurlHandle *))curl_symbol("curl_easy_cleanup"))(handle); }

/// Forgets all options, but not the connections.
static inline void curl_reset(CurlHandle *_Nonnull handle) { ((void (*)(CurlHandle *))curl_symbol("curl_easy_reset"))(handle); }

static inline int curl_perform(CurlHandle *_Nonnull handle) { return ((int (*)(CurlHandle *))curl_symbol("curl_easy_perform"))(handle); }

static inline const char *_Nonnull curl_message(int code) {
  return ((const char *(*)(int))curl_symbol("curl_easy_strerror"))(code);
}

static inline int curl_set_number(CurlHandle *_Nonnull handle, int option, long value) {
  return ((int (*)(CurlHandle *, int, ...))curl_symbol("curl_easy_setopt"))(handle, option, value);
}

static inline int curl_set_pointer(CurlHandle *_Nonnull handle, int option, const void *_Nullable value) {
  return ((int (*)(CurlHandle *, int, ...))curl_symbol("curl_easy_setopt"))(handle, option, value);
}

static inline int curl_set_receiver(CurlHandle *_Nonnull handle, int option, CurlReceiver _Nonnull receiver) {
  return ((int (*)(CurlHandle *, int, ...))curl_symbol("curl_easy_setopt"))(handle, option, receiver);
}

static inline int curl_set_progress(CurlHandle *_Nonnull handle, CurlProgress _Nonnull progress) {
  return ((int (*)(CurlHandle *, int, ...))curl_symbol("curl_easy_setopt"))(handle, CURLOPT_XFERINFOFUNCTION, progress);
}

/// nil where memory is short; the list is as it was then.
static inline CurlList *_Nullable curl_append(CurlList *_Nullable list, const char *_Nonnull line) {
  return ((CurlList * (*)(CurlList *, const char *)) curl_symbol("curl_slist_append"))(list, line);
}

static inline void curl_free_list(CurlList *_Nullable list) { ((void (*)(CurlList *))curl_symbol("curl_slist_free_all"))(list); }
