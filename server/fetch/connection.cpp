#include "server/fetch/connection.hpp"

#include "server/fetch/interrupted.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

namespace fetchmill::server::fetch {
namespace {

using config::Error;
using config::ErrorCode;

// What may come under TLS without a byte of what is said in it: a handshake, session tickets, new
// keys.
constexpr std::uint32_t tls_barren_bytes_max = 128 * 1024;
// Of that in one turn, as more than a thousand new keys.
constexpr std::uint32_t tls_turn_bytes_max = 32 * 1024;
constexpr const char* flood_words = "it kept sending TLS messages that bring nothing";

// OpenSSL's way to the socket: through Socket, which knows what the kernel has and never raises
// SIGPIPE.
int bio_read(BIO* bio, char* data, int size) {
  auto& connection = *static_cast<Connection*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const Transfer transfer = connection.read_for_tls({data, static_cast<std::size_t>(size)});
  if (transfer.status == Transfer::Status::done) return static_cast<int>(transfer.bytes);
  if (transfer.status == Transfer::Status::would_block) BIO_set_retry_read(bio);
  if (transfer.status == Transfer::Status::closed && transfer.error == 0) return 0;
  errno = transfer.error;
  return -1;
}

int bio_write(BIO* bio, const char* data, int size) {
  auto& socket = *static_cast<Connection*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const iovec part{const_cast<char*>(data), static_cast<std::size_t>(size)};
  const Transfer transfer = socket.write({&part, 1});
  if (transfer.status == Transfer::Status::done) return static_cast<int>(transfer.bytes);
  if (transfer.status == Transfer::Status::would_block) BIO_set_retry_write(bio);
  errno = transfer.error;
  return -1;
}

long bio_control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* bio_method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "fetchmill socket");
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  return method;
}

std::optional<Address> end_of(int fd, int (*ask)(int, sockaddr*, socklen_t*)) {
  sockaddr_storage address{};
  socklen_t bytes = sizeof address;
  if (ask(fd, reinterpret_cast<sockaddr*>(&address), &bytes) != 0) return std::nullopt;
  return from_sockaddr(reinterpret_cast<const sockaddr*>(&address));
}

}  // namespace

std::optional<Address> Connection::peer() const {
  if (tunnelled_to_) return tunnelled_to_;
  return end_of(fd(), ::getpeername);
}

std::optional<Address> Connection::own_end() const {
  return end_of(fd(), ::getsockname);
}

std::optional<TlsFacts> Connection::tls_facts() const {
  if (!tls_) return std::nullopt;
  return fetch::tls_facts(*tls_);
}

Task<config::Result<void>> Connection::handshake(Activity& activity, TlsSession session) {
  BIO* bio = session ? BIO_new(tls_ ? BIO_f_ssl() : bio_method()) : nullptr;
  if (!bio) co_return Error(ErrorCode::tls_failed, "no memory for a TLS session");
  if (tls_) {
    proxy_tls_ = std::move(tls_);
    BIO_set_ssl(bio, proxy_tls_.get(), BIO_NOCLOSE);
  } else {
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
  }
  SSL_set_bio(session.get(), bio, bio);
  tls_ = std::move(session);
  barren_bytes_ = turn_bytes_ = 0;
  for (;;) {
    ERR_clear_error();
    errno = 0;
    const int result = SSL_do_handshake(tls_.get());
    if (result == 1) {
      barren_bytes_ = 0;
      co_return config::Result<void>();
    }
    const Transfer transfer = tls_outcome(result, 0);
    if (transfer.status == Transfer::Status::would_block) {
      if (co_await ready(activity)) continue;
      co_return interrupted(activity, "establishing TLS", config::FetchFault::connection_timeout);
    }
    if (is_flood())
      co_return Error(
          ErrorCode::tls_failed,
          std::string("the TLS handshake with the upstream was ended by us: ") + flood_words);
    const bool cut = ERR_peek_error() == 0;
    const config::FetchFault fault = tls_fault(tls_.get());
    Error error(ErrorCode::tls_failed,
                cut ? "the upstream closed the connection during the TLS handshake"
                    : "the TLS handshake failed: " + tls_failure(tls_.get()));
    error.transient = cut;
    error.fault = cut ? config::FetchFault::connection_terminated : fault;
    co_return error;
  }
}

// Only valid right after the call that returned `result`.
Transfer Connection::tls_outcome(int result, std::size_t bytes) {
  if (result == 1) return {Transfer::Status::done, bytes, 0};
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      waits_for_write_ = false;
      return {Transfer::Status::would_block, 0, 0};
    case SSL_ERROR_WANT_WRITE:
      waits_for_write_ = true;
      return {Transfer::Status::would_block, 0, 0};
    case SSL_ERROR_ZERO_RETURN:
      return {Transfer::Status::closed, 0, 0};
    default:
      // Told once only.
      if (!alert_) alert_ = tls_alert();
      return {Transfer::Status::closed, 0, errno != 0 ? errno : EPROTO};
  }
}

// OpenSSL asks for more for as long as what came has no byte for us, however much comes, so this is
// where it ends. (Without SSL_MODE_AUTO_RETRY it stops only where a record ends with what it read.)
Transfer Connection::read_for_tls(std::span<char> into) {
  if (is_flood()) return {Transfer::Status::closed, 0, EPROTO};
  if (turn_bytes_ > tls_turn_bytes_max) {
    turn_bytes_ = 0;
    put_off_reading();
  }
  if (!may_have_input()) return {Transfer::Status::would_block, 0, 0};
  const Transfer transfer = read(into);
  barren_bytes_ += static_cast<std::uint32_t>(transfer.bytes);
  turn_bytes_ += static_cast<std::uint32_t>(transfer.bytes);
  return transfer;
}

bool Connection::is_flood() const {
  return barren_bytes_ > tls_barren_bytes_max;
}

std::string Connection::how_closed(const Transfer& transfer) const {
  if (transfer.error == 0) return {};
  if (is_flood()) return std::string(" (ended by us: ") + flood_words + ')';
  return std::string(" (") + std::strerror(transfer.error) + ')';
}

Transfer Connection::receive_tls(std::span<char> into) {
  std::size_t filled = 0;
  while (filled < into.size()) {
    ERR_clear_error();
    errno = 0;
    std::size_t bytes = 0;
    const int result = SSL_read_ex(tls_.get(), into.data() + filled, into.size() - filled, &bytes);
    const Transfer transfer = tls_outcome(result, bytes);
    // What ended the stream is told again by the next call.
    if (transfer.status != Transfer::Status::done) {
      if (filled == 0) return transfer;
      break;
    }
    filled += bytes;
    barren_bytes_ = 0;
    turn_bytes_ -= static_cast<std::uint32_t>(std::min<std::size_t>(turn_bytes_, bytes));
  }
  return {Transfer::Status::done, filled, 0};
}

Transfer Connection::send_tls(std::span<const char> from) {
  ERR_clear_error();
  errno = 0;
  std::size_t bytes = 0;
  const int result = SSL_write_ex(tls_.get(), from.data(), from.size(), &bytes);
  const Transfer transfer = tls_outcome(result, bytes);
  if (transfer.status == Transfer::Status::closed) hear_why_sending_failed();
  return transfer;
}

// Who refuses our certificate says so and closes, perhaps before we send: the word stands in front
// of the reset that the sending met.
void Connection::hear_why_sending_failed() {
  send_failed_ = true;
  turn_bytes_ = 0;  // nothing is put off: there is no other turn
  ERR_clear_error();
  char byte;
  std::size_t bytes = 0;
  const int result = SSL_peek_ex(tls_.get(), &byte, 1, &bytes);
  tls_outcome(result, bytes);
}

Transfer Connection::receive(std::span<const iovec> into) {
  waits_for_write_ = false;
  if (!tls_) {
    if (!may_have_input()) return {Transfer::Status::would_block, 0, 0};
    return into.size() == 1 ? read({static_cast<char*>(into[0].iov_base), into[0].iov_len})
                            : read(into);
  }
  return receive_tls({static_cast<char*>(into[0].iov_base), into[0].iov_len});
}

Transfer Connection::send(std::span<const iovec> from) {
  waits_for_write_ = true;
  if (tls_) return send_tls({static_cast<const char*>(from[0].iov_base), from[0].iov_len});
  const Transfer transfer = write(from);
  if (transfer.status == Transfer::Status::closed) send_failed_ = true;
  return transfer;
}

void Connection::probe() {
  if (std::exchange(probed_, true)) return;
  struct Option {
    int level;
    int name;
    int value;
  };
  constexpr std::array<Option, 4> options{{{SOL_SOCKET, SO_KEEPALIVE, 1},
                                           {IPPROTO_TCP, TCP_KEEPIDLE, 60},
                                           {IPPROTO_TCP, TCP_KEEPINTVL, 15},
                                           {IPPROTO_TCP, TCP_KEEPCNT, 4}}};
  for (const Option& option : options)
    ::setsockopt(fd(), option.level, option.name, &option.value, sizeof option.value);
}

bool Connection::is_quiet() {
  if (!is_open() || hung_up()) return false;
  char byte;
  if (tls_) {
    const bool pending =
        SSL_has_pending(tls_.get()) != 0 || (proxy_tls_ && SSL_has_pending(proxy_tls_.get()) != 0);
    if (!may_read() && !pending) return true;
    // Session tickets may still come; they are not part of an answer. All that is there is looked
    // at: what is put off to another turn would be taken for nothing.
    turn_bytes_ = 0;
    ERR_clear_error();
    std::size_t bytes = 0;
    const int result = SSL_peek_ex(tls_.get(), &byte, 1, &bytes);
    return tls_outcome(result, bytes).status == Transfer::Status::would_block;
  }
  if (!may_read()) return true;
  if (::recv(fd(), &byte, 1, MSG_PEEK) >= 0 || errno != EAGAIN) return false;
  exhausted_read();
  return true;
}

void Connection::close() {
  const bool can_say_so = is_open() && !hung_up();
  for (TlsSession* session : {&tls_, &proxy_tls_}) {
    if (can_say_so && *session && SSL_is_init_finished(session->get())) {
      ERR_clear_error();
      SSL_shutdown(session->get());
    }
    session->reset();
  }
  tunnelled_to_.reset();
  alert_ = nullptr;
  send_failed_ = false;
  probed_ = false;
  Socket::close();
}

}  // namespace fetchmill::server::fetch
