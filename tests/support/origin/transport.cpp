#include "tests/support/origin/transport.hpp"

#include <cerrno>
#include <cstdio>

#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

namespace fetchmill::tests::origin {

TlsContext load_tls(const std::string& certificate_file, const std::string& key_file) {
  TlsContext context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (context && SSL_CTX_use_certificate_chain_file(context.get(), certificate_file.c_str()) == 1 &&
      SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) == 1) {
    SSL_CTX_set_mode(context.get(),
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return context;
  }
  ERR_print_errors_fp(stderr);
  return nullptr;
}

Transport::Transport(int descriptor, SSL_CTX* tls) : descriptor_(descriptor) {
  if (tls == nullptr) return;
  ssl_ = SSL_new(tls);
  SSL_set_fd(ssl_, descriptor_);
  SSL_set_accept_state(ssl_);
}

Transport::~Transport() {
  if (ssl_ != nullptr) SSL_free(ssl_);
  ::close(descriptor_);
}

IoResult Transport::tls_result(int returned) {
  if (returned > 0) return {IoStatus::done, static_cast<std::size_t>(returned)};
  const int error = SSL_get_error(ssl_, returned);
  ERR_clear_error();
  if (error == SSL_ERROR_WANT_READ) return {IoStatus::wants_read};
  if (error == SSL_ERROR_WANT_WRITE) return {IoStatus::wants_write};
  return {IoStatus::closed};
}

IoResult Transport::read(std::span<char> into) {
  if (ssl_ != nullptr)
    return tls_result(SSL_read(ssl_, into.data(), static_cast<int>(into.size())));
  const ssize_t size = ::recv(descriptor_, into.data(), into.size(), 0);
  if (size > 0) return {IoStatus::done, static_cast<std::size_t>(size)};
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return {IoStatus::wants_read};
  return {IoStatus::closed};
}

IoResult Transport::write(std::span<const char> from) {
  if (ssl_ != nullptr) {
    const std::size_t size = from.size() < (1u << 20) ? from.size() : (1u << 20);
    return tls_result(SSL_write(ssl_, from.data(), static_cast<int>(size)));
  }
  const ssize_t size = ::send(descriptor_, from.data(), from.size(), MSG_NOSIGNAL);
  if (size >= 0) return {IoStatus::done, static_cast<std::size_t>(size)};
  if (errno == EAGAIN || errno == EINTR) return {IoStatus::wants_write};
  return {IoStatus::closed};
}

void Transport::reset() {
  const linger now{1, 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void Transport::finish() {
  if (ssl_ != nullptr) SSL_shutdown(ssl_);
  ::shutdown(descriptor_, SHUT_WR);
}

}  // namespace fetchmill::tests::origin
