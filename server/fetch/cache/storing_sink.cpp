#include "server/fetch/cache/storing_sink.hpp"

#include "config/ascii.hpp"
#include "server/fetch/cache/participation.hpp"
#include "server/fetch/cache/vary.hpp"

#include <algorithm>

namespace fetchmill::server::fetch::cache {

std::optional<Freshness> judge_arrival(const FetchRequest& request, const FetchResponse& response,
                                       unsigned status, const UpstreamHead& head,
                                       const ResponseFields& fields) {
  return storable({.status = status,
                   .fields = fields,
                   .has_validator = has_validator(head),
                   .credentials_sent = has_credentials(request.headers),
                   .received = Clock::now(),
                   .delay = response.timings.ttfb.value_or(Clock::duration(0)),
                   .today = wall_time()});
}

void StoringSink::begin(std::optional<std::uint64_t> length) {
  if (validates_ && response_.status == 304) {
    not_modified_ = true;
    return;
  }
  begun_ = true;
  entry_ = new_entry(length);
  if (entry_ && judge_reuse(entry_->freshness, {}, Clock::now()) != Reuse::validate)
    lead_.share();
  else
    lead_.land(false);
  to_.begin(length);
}

EntryPtr StoringSink::new_entry(std::optional<std::uint64_t> length) const {
  // Redirects are not stored. Where none was followed, the request's URL is what was asked for.
  if (!may_store_ || response_.redirects > 0 || !says_how_long(response_.head)) return nullptr;
  if (length.value_or(0) > store_.entry_body_bytes_max()) return nullptr;
  const ResponseFields fields = read_response_fields(response_.head);
  const std::optional<Freshness> freshness =
      judge_arrival(request_, response_, response_.status, response_.head, fields);
  if (!freshness) return nullptr;
  std::optional<std::vector<std::string>> vary = parse_vary(fields.vary);
  if (!vary) return nullptr;
  // What a trace adds to the request is in no key.
  const auto is_varied_by = [&](const Header& field) {
    return std::ranges::find(*vary, ascii::to_lower(field.name)) != vary->end();
  };
  if (std::ranges::any_of(request_.trace, is_varied_by)) return nullptr;
  auto entry = std::make_shared<Entry>(store_);
  entry->url_key = url_key(request_.url);
  entry->secondary = secondary_key(*vary, fields_of_client(request_));
  entry->vary = std::move(*vary);
  entry->status = response_.status;
  entry->head = response_.head;
  entry->freshness = *freshness;
  return entry;
}

Task<config::Result<std::span<char>>> StoringSink::wait_for_space(Activity& activity,
                                                                  std::size_t wanted) {
  Task<config::Result<std::span<char>>> waiting = to_.wait_for_space(activity, wanted);
  config::Result<std::span<char>> space = co_await waiting;
  if (space) space_ = *space;
  co_return space;
}

void StoringSink::commit(std::size_t bytes) {
  if (entry_ && (entry_->body_bytes + bytes > store_.entry_body_bytes_max() ||
                 !entry_->append(space_.first(bytes)))) {
    entry_.reset();
    lead_.land(false);
  }
  space_ = space_.subspan(bytes);
  to_.commit(bytes);
}

EntryPtr StoringSink::keep() {
  if (!entry_ || store_.generation() != generation_ || !store_.put(entry_)) return nullptr;
  return entry_;
}

}  // namespace fetchmill::server::fetch::cache
