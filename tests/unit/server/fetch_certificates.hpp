// Certificates made for one test: an authority, and servers it vouches for.
#pragma once

#include "server/fetch/free_with.hpp"

#include <cstddef>
#include <memory>
#include <string>

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace fetchmill::server::fetch::testing {

using Key = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;
using TlsServer = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;

// What else stands in a server's certificate.
struct Looks {
  std::string common_name = {};   // empty: the names
  std::size_t comment_bytes = 0;  // makes it as large
  std::size_t chain_bytes = 0;    // there is another one as large
};

class Authority {
 public:
  // `name` empty: one of its own.
  explicit Authority(const std::string& name = "");
  ~Authority();
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  // The PEM file of its own certificate.
  const std::string& file() const { return file_; }

  // A server for `names` ("DNS:localhost,IP:127.0.0.1"), valid for `hours` from now.
  TlsServer server(const std::string& names, int hours = 24, const Looks& looks = {}) const;
  // One with the authority's own certificate.
  TlsServer server_of_itself() const;
  // One that asks its clients for a certificate of this authority, and insists on it if `needed`.
  TlsServer server_for_clients(const std::string& names, bool needed) const;

  // A client's certificate and key in PEM files.
  struct ClientFiles {
    ClientFiles(const Authority& authority, const std::string& password = "");
    ~ClientFiles();
    ClientFiles(const ClientFiles&) = delete;
    ClientFiles& operator=(const ClientFiles&) = delete;
    std::string certificate;
    std::string key;
  };

 private:
  Key key_;
  Certificate certificate_;
  std::string file_;
};

}  // namespace fetchmill::server::fetch::testing
