// A connected socket, plain or TLS, with non-blocking reads and writes.
//
// Owner: one Connection. The descriptor is closed by the destructor.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include <openssl/ssl.h>

namespace fetchmill::tests::origin {

enum class IoStatus { done, wants_read, wants_write, closed };

struct IoResult {
  IoStatus status;
  std::size_t size = 0;
};

using TlsContext = std::shared_ptr<SSL_CTX>;

// Null, with the reason on stderr, when the files cannot be loaded.
TlsContext load_tls(const std::string& certificate_file, const std::string& key_file);

class Transport {
 public:
  // `tls` null: plain text.
  Transport(int descriptor, SSL_CTX* tls);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  IoResult read(std::span<char> into);
  IoResult write(std::span<const char> from);
  // Closes with RST instead of FIN.
  void reset();
  // FIN now, descriptor later: what was written still arrives even when requests lie unread.
  void finish();
  int descriptor() const { return descriptor_; }

 private:
  IoResult tls_result(int returned);

  int descriptor_;
  SSL* ssl_ = nullptr;
};

}  // namespace fetchmill::tests::origin
