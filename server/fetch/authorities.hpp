// The system's certificate authorities, each decoded when a chain first leads to it: OpenSSL takes
// some 0.2 ms and 10 KB for each of the 140, and a server meets a handful of them.
//
// Process: loop, and the thread of a reload. Trust: the bundle is the system's own.
#pragma once

#include <string>

struct ssl_ctx_st;

namespace fetchmill::server::fetch {

// Makes `context` trust the certificates of a PEM file, which is read now and not again. Blocking.
// False: it cannot be read, holds no certificate, or one without a subject. What turns out to be
// malformed when it is needed is not trusted.
bool trust_bundle(ssl_ctx_st* context, const std::string& path);

}  // namespace fetchmill::server::fetch
