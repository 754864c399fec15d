#include "server/fetch/http2_session.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include <nghttp2/nghttp2.h>

namespace fetchmill::server::fetch {
namespace {

// Enough for a TLS record and what goes before it.
constexpr std::size_t output_bytes_max = 16 * 1024;
// An upstream that said nothing at all for so long after a request may be gone without a word.
constexpr std::chrono::seconds silence_max{2};

std::string_view text(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

nghttp2_nv pair(const Header& field) {
  const auto bytes = [](const std::string& from) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(from.data()));
  };
  return {bytes(field.name), bytes(field.value), field.name.size(), field.value.size(),
          NGHTTP2_NV_FLAG_NONE};
}

std::string broke_rules(std::string_view which) {
  return "the upstream broke the rules of HTTP/2: " + std::string(which);
}

std::string ended_by_us(std::string_view why) {
  return " (ended by us: " + std::string(why) + ")";
}

}  // namespace

// What nghttp2 calls. Nothing here resumes a sequence, or ends the session.
struct Http2Callbacks {
  static Http2Session& self(void* user_data) { return *static_cast<Http2Session*>(user_data); }
  static bool ends(const nghttp2_frame* frame) {
    return (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  }

  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    // Pushes were declined.
    if (frame->hd.type != NGHTTP2_HEADERS) return NGHTTP2_ERR_CALLBACK_FAILURE;
    Http2Stream* stream = self(user_data).find(frame->hd.stream_id);
    if (stream) stream->head_begins();
    return 0;
  }

  static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                    std::size_t name_bytes, const std::uint8_t* value, std::size_t value_bytes,
                    std::uint8_t, void* user_data) {
    Http2Session& own = self(user_data);
    Http2Stream* stream = own.find(frame->hd.stream_id);
    if (!stream || stream->field(text(name, name_bytes), text(value, value_bytes))) return 0;
    own.expect_remains(frame->hd.stream_id);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // resets the stream
  }

  static int data_chunk(nghttp2_session* session, std::uint8_t, std::int32_t id,
                        const std::uint8_t* data, std::size_t bytes, void* user_data) {
    Http2Session& own = self(user_data);
    if (bytes > 0) own.progress();
    nghttp2_session_consume_connection(session, bytes);
    Http2Stream* stream = own.find(id);
    if (stream && !stream->data(text(data, bytes))) own.reset(*stream, NGHTTP2_PROTOCOL_ERROR);
    return 0;
  }

  static int frame_received(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    Http2Session& own = self(user_data);
    Http2Stream* stream = own.find(frame->hd.stream_id);
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        if (!stream) return 0;
        own.progress();
        if (!stream->head_ends())
          own.reset(*stream, NGHTTP2_PROTOCOL_ERROR);
        else if (ends(frame))
          stream->answer_ends();
        return 0;
      case NGHTTP2_DATA:
        if (stream && ends(frame)) stream->answer_ends();
        if (frame->hd.length > 0) return 0;
        break;
      case NGHTTP2_RST_STREAM:
        if (stream && frame->rst_stream.error_code == NGHTTP2_REFUSED_STREAM) stream->was_refused();
        if (stream)
          stream->fails(std::string("the upstream cancelled its answer: ") +
                        nghttp2_http2_strerror(frame->rst_stream.error_code));
        break;
      case NGHTTP2_SETTINGS:
        own.settled_ = own.changed_ = true;
        break;
      case NGHTTP2_GOAWAY:
        own.changed_ = true;
        break;
      default:
        break;
    }
    return own.count_barren_frame() ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  static int invalid_frame(nghttp2_session*, const nghttp2_frame* frame, int why, void* user_data) {
    Http2Session& own = self(user_data);
    own.violation_ = nghttp2_strerror(why);
    Http2Stream* stream = own.find(frame->hd.stream_id);
    if (!stream) return 0;
    own.expect_remains(frame->hd.stream_id);
    stream->fails(broke_rules(nghttp2_strerror(why)));
    return 0;
  }

  static int frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    Http2Session& own = self(user_data);
    const bool is_data = frame->hd.type == NGHTTP2_DATA;
    if (!is_data && frame->hd.type != NGHTTP2_HEADERS) return 0;
    if (is_data) own.progress();
    Http2Stream* stream = own.find(frame->hd.stream_id);
    if (stream && !is_data) stream->was_sent();
    return 0;
  }

  static int frame_not_sent(nghttp2_session*, const nghttp2_frame* frame, int, void* user_data) {
    Http2Stream* stream = self(user_data).find(frame->hd.stream_id);
    if (stream && frame->hd.type == NGHTTP2_HEADERS) stream->was_refused();
    return 0;
  }

  static int stream_closed(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user_data) {
    Http2Session& own = self(user_data);
    Http2Stream* stream = own.find(id);
    if (!stream) return 0;
    // A GOAWAY ends what the upstream has not looked at in the same way.
    if (code == NGHTTP2_REFUSED_STREAM) stream->was_refused();
    stream->fails(broke_rules(nghttp2_http2_strerror(code)));
    own.forget(*stream);
    return 0;
  }

  static ssize_t read_upload(nghttp2_session*, std::int32_t id, std::uint8_t* into,
                             std::size_t room, std::uint32_t* flags, nghttp2_data_source*,
                             void* user_data) {
    Http2Stream* stream = self(user_data).find(id);
    // Cut short: the stream is about to be cancelled.
    if (!stream || stream->upload().empty()) return NGHTTP2_ERR_DEFERRED;
    std::string_view& upload = stream->upload();
    const std::size_t bytes = std::min(room, upload.size());
    std::memcpy(into, upload.data(), bytes);
    upload.remove_prefix(bytes);
    if (upload.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(bytes);
  }

  static const nghttp2_session_callbacks* table() {
    static const nghttp2_session_callbacks* const made = [] {
      nghttp2_session_callbacks* to = nullptr;
      nghttp2_session_callbacks_new(&to);
      nghttp2_session_callbacks_set_on_begin_headers_callback(to, begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(to, header);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(to, data_chunk);
      nghttp2_session_callbacks_set_on_frame_recv_callback(to, frame_received);
      nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(to, invalid_frame);
      nghttp2_session_callbacks_set_on_frame_send_callback(to, frame_sent);
      nghttp2_session_callbacks_set_on_frame_not_send_callback(to, frame_not_sent);
      nghttp2_session_callbacks_set_on_stream_close_callback(to, stream_closed);
      return to;
    }();
    return made;
  }

  // Windows move on by our word only. For floods of acknowledgements, settings and continuations
  // nghttp2's own bounds hold.
  static const nghttp2_option* options() {
    static const nghttp2_option* const made = [] {
      nghttp2_option* to = nullptr;
      nghttp2_option_new(&to);
      nghttp2_option_set_no_auto_window_update(to, 1);
      nghttp2_option_set_no_closed_streams(to, 1);
      return to;
    }();
    return made;
  }
};

void Http2Session::Delete::operator()(nghttp2_session* session) const {
  nghttp2_session_del(session);
}

Http2Session::Http2Session(ExchangeShared& shared, Connection& connection, Holder& holder)
    : shared_(shared), connection_(connection), holder_(holder) {
  nghttp2_session* made = nullptr;
  nghttp2_session_client_new2(&made, Http2Callbacks::table(), this, Http2Callbacks::options());
  session_.reset(made);
  const std::array settings{
      nghttp2_settings_entry{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
                             static_cast<std::uint32_t>(wire::HeadLimits().head_bytes_max)}};
  if (!made ||
      nghttp2_submit_settings(made, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) != 0 ||
      nghttp2_session_set_local_window_size(made, NGHTTP2_FLAG_NONE, 0, connection_window_bytes) !=
          0)
    failed_ = changed_ = true;
  shared_.turns.defer(*this);
}

Http2Session::~Http2Session() {
  if (failed_) return;
  nghttp2_session_terminate_session(session_.get(), NGHTTP2_NO_ERROR);
  send();
}

void Http2Session::open(Http2Stream& stream, const FetchRequest& request) {
  std::int32_t id = NGHTTP2_ERR_SESSION_CLOSING;
  if (!failed_) {
    const std::vector<Header> fields = http2_fields(request);
    std::vector<nghttp2_nv> pairs;
    pairs.reserve(fields.size());
    for (const Header& field : fields) pairs.push_back(pair(field));
    nghttp2_data_provider upload{};
    upload.read_callback = Http2Callbacks::read_upload;
    id = nghttp2_submit_request(session_.get(), nullptr, pairs.data(), pairs.size(),
                                request.body.empty() ? nullptr : &upload, nullptr);
  }
  if (id < 0) return stream.was_refused();
  stream.opened(id, request.body);
  streams_.emplace(id, &stream);
  shared_.turns.defer(*this);
}

void Http2Session::taken(Http2Stream& stream, std::size_t bytes) {
  const std::int32_t id = stream.id();
  if (id == 0 || stream.ended()) return;
  nghttp2_session* session = session_.get();
  if (nghttp2_session_get_stream_effective_local_window_size(session, id) < stream_window_bytes)
    nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, id, stream_window_bytes);
  nghttp2_session_consume_stream(session, id, bytes);
  if (nghttp2_session_want_write(session) != 0) shared_.turns.defer(*this);
}

void Http2Session::close(Http2Stream& stream) {
  if (stream.id() == 0) return;
  reset(stream, NGHTTP2_CANCEL);
  const bool is_silent = stream.sent() && heard_at_ < stream.sent_at() &&
                         Clock::now() - stream.sent_at() > silence_max;
  forget(stream);
  shared_.turns.defer(*this);
  if (is_silent) retire();
}

std::size_t Http2Session::streams_max() const {
  if (!settled_) return 1;
  const std::uint32_t allowed =
      nghttp2_session_get_remote_settings(session_.get(), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  return std::min<std::size_t>(allowed, http2_streams_max);
}

bool Http2Session::takes_streams() const {
  return !failed_ && !retired_ && nghttp2_session_check_request_allowed(session_.get()) != 0;
}

void Http2Session::retire() {
  retired_ = true;
  holder_.session_changed();
}

void Http2Session::work() {
  if (!failed_) receive();
  if (!failed_) send();
  if (!failed_ && nghttp2_session_want_read(session_.get()) == 0)
    fail(ended_by_us(violation_ ? violation_ : "it broke the rules of HTTP/2"));
  if (std::exchange(changed_, false)) holder_.session_changed();
}

void Http2Session::receive() {
  for (std::size_t turn_bytes = 0; turn_bytes < turn_bytes_max;) {
    const iovec into{shared_.input.data(), shared_.input.size()};
    const Transfer transfer = connection_.receive({&into, 1});
    if (transfer.status == Transfer::Status::would_block) return;
    if (transfer.status == Transfer::Status::closed) return fail(connection_.how_closed(transfer));
    turn_bytes += transfer.bytes;
    shared_.bytes_in.increment(transfer.bytes);
    heard_at_ = Clock::now();
    progressed_ = false;
    const ssize_t used = nghttp2_session_mem_recv(
        session_.get(), reinterpret_cast<const std::uint8_t*>(shared_.input.data()),
        transfer.bytes);
    if (!progressed_) barren_bytes_ += transfer.bytes;
    if (barren_frames_ > barren_frames_max || barren_bytes_ > barren_bytes_max + remains_bytes_)
      return fail(ended_by_us("it kept sending what is no part of an answer"));
    if (used < 0) return fail(ended_by_us(nghttp2_strerror(static_cast<int>(used))));
  }
  shared_.turns.defer(*this);
}

void Http2Session::send() {
  for (std::size_t turn_bytes = 0; turn_bytes < turn_bytes_max;) {
    if (output_.empty() && !fill_output()) return;
    const iovec from{output_.data() + output_sent_, output_.size() - output_sent_};
    const Transfer transfer = connection_.send({&from, 1});
    if (transfer.status == Transfer::Status::would_block) return;
    if (transfer.status == Transfer::Status::closed) return fail(connection_.how_closed(transfer));
    turn_bytes += transfer.bytes;
    output_sent_ += transfer.bytes;
    shared_.bytes_out.increment(transfer.bytes);
    if (output_sent_ < output_.size()) continue;
    output_.clear();
    output_sent_ = 0;
  }
  shared_.turns.defer(*this);
}

// False when there is nothing to send.
bool Http2Session::fill_output() {
  while (output_.size() < output_bytes_max) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t count = nghttp2_session_mem_send(session_.get(), &bytes);
    if (count < 0) fail(ended_by_us(nghttp2_strerror(static_cast<int>(count))));
    if (count <= 0) break;
    output_.append(text(bytes, static_cast<std::size_t>(count)));
  }
  return !output_.empty() && !failed_;
}

void Http2Session::fail(std::string_view how) {
  failed_ = changed_ = true;
  for (const auto& [id, stream] : streams_) {
    stream->breaks_off(how);
    stream->closed();
  }
  streams_.clear();
}

Http2Stream* Http2Session::find(std::int32_t id) {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second;
}

void Http2Session::forget(Http2Stream& stream) {
  streams_.erase(stream.id());
  stream.closed();
}

void Http2Session::reset(Http2Stream& stream, std::uint32_t code) {
  expect_remains(stream.id());
  nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream.id(), code);
}

// The upstream hears of a reset late: what it was free to send before, as much as the stream's
// window, is on its way or will be. All streams together have no more than the connection's.
void Http2Session::expect_remains(std::int32_t id) {
  if (nghttp2_session_get_stream_remote_close(session_.get(), id) == 1) return;
  const std::int32_t window = nghttp2_session_get_stream_local_window_size(session_.get(), id);
  remains_bytes_ = std::min<std::size_t>(
      remains_bytes_ + static_cast<std::size_t>(std::max(window, 0)), connection_window_bytes);
}

// A piece of an answer came, or of a request went. nghttp2 does not tell of DATA on a stream that
// was reset, so whatever else came before is taken for that.
void Http2Session::progress() {
  remains_bytes_ -= std::min(remains_bytes_, barren_bytes_);
  barren_bytes_ = barren_frames_ = 0;
  progressed_ = true;
}

}  // namespace fetchmill::server::fetch
