#include "server/healthcheck.hpp"

#include "server/fetch/url.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

namespace fetchmill::server {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;
namespace asio = boost::asio;
namespace http = boost::beast::http;
using Code = boost::system::error_code;

constexpr std::string_view readiness_path = "/readyz";

// One request, one answer, as a chain of callbacks; where it ends early, `outcome` says why.
class Question {
 public:
  Question(asio::io_context& io, const fetch::Url& url, const std::string& host)
      : stream_(io), request_(http::verb::get, url.request_target(), 11) {
    request_.set(http::field::host, host);
    request_.set(http::field::connection, "close");
  }

  void ask(const asio::ip::tcp::resolver::results_type& addresses,
           std::chrono::milliseconds timeout) {
    stream_.expires_after(timeout);
    stream_.async_connect(addresses, [this](Code code, const asio::ip::tcp::endpoint&) {
      if (code) return fail(code, ErrorCode::connect_failed);
      http::async_write(stream_, request_, [this](Code written, std::size_t) {
        if (written) return fail(written, ErrorCode::upstream_protocol);
        http::async_read(stream_, buffer_, answer_, [this](Code read, std::size_t) {
          if (read) return fail(read, ErrorCode::upstream_protocol);
          if (answer_.result() == http::status::ok)
            outcome = Result<void>();
          else
            outcome = Error(ErrorCode::upstream_status,
                            "it answered " + std::to_string(answer_.result_int()));
        });
      });
    });
  }

  Result<void> outcome = Error(ErrorCode::internal_error);

 private:
  void fail(Code code, ErrorCode what) {
    outcome = code == boost::beast::error::timeout
                  ? Error(ErrorCode::upstream_timeout, "no answer in time")
                  : Error(what, code.message());
  }

  boost::beast::tcp_stream stream_;
  http::request<http::empty_body> request_;
  boost::beast::flat_buffer buffer_;
  http::response<http::string_body> answer_;
};

}  // namespace

std::string readiness_url(std::string_view listen) {
  const std::size_t colon = listen.rfind(':');
  std::string_view host = listen.substr(0, colon);
  if (host == "0.0.0.0") host = "127.0.0.1";
  if (host == "[::]") host = "[::1]";
  return "http://" + std::string(host) + std::string(listen.substr(colon)) +
         std::string(readiness_path);
}

Result<void> healthcheck(const std::string& text, const std::string& host,
                         std::chrono::milliseconds timeout) {
  const Result<fetch::Url> url = fetch::parse_url(text);
  if (!url) return url.error();
  if (url->is_https()) return Error(ErrorCode::url_denied, "only http URLs can be asked");
  std::string_view name = url->host.text;
  if (url->host.kind == fetch::HostKind::ipv6) name = name.substr(1, name.size() - 2);
  asio::io_context io;
  Code code;
  const auto addresses = asio::ip::tcp::resolver(io).resolve(name, std::to_string(url->port), code);
  if (code) return Error(ErrorCode::dns_failed, code.message());
  Question question(io, *url, host.empty() ? url->host_header() : host);
  question.ask(addresses, timeout);
  io.run();
  return std::move(question.outcome);
}

}  // namespace fetchmill::server
