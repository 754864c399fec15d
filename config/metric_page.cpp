#include "config/metric_page.hpp"

#include "config/metrics.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <sys/mman.h>

namespace fetchmill::config {

// Every series that there can be, at its largest.
const std::size_t MetricPage::page_bytes =
    sizeof(Header) +
    metric_rows::all.size() * series_max * bytes_of(labels_max * (label_bytes_max + 1), values_max);

MetricPage::MetricPage(Seen seen) {
  const int sharing = seen == Seen::by_all_forked ? MAP_SHARED : MAP_PRIVATE;
  void* start = ::mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE,
                       sharing | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED)
    throw std::system_error(errno, std::generic_category(), "mmap (metrics)");
  bytes_ = {static_cast<std::byte*>(start), page_bytes};
  header().used.store(sizeof(Header), std::memory_order_relaxed);
}

MetricPage::~MetricPage() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

std::span<std::uint64_t> MetricPage::add(std::uint32_t row, std::string_view labels,
                                         std::size_t values) {
  const std::uint64_t at = header().used.load(std::memory_order_relaxed);
  Series& series = series_at(at);
  series = {row, static_cast<std::uint16_t>(labels.size()), static_cast<std::uint16_t>(values)};
  labels.copy(const_cast<char*>(labels_of(series).data()), labels.size());
  const std::span<std::uint64_t> added = values_of(series);
  // One that ended while it did this may have left something here.
  for (std::uint64_t& value : added) write_shared(value, 0);
  header().used.store(at + bytes_of(labels.size(), values), std::memory_order_release);
  return added;
}

void MetricPage::forbid_writing() const {
  ::mprotect(bytes_.data(), bytes_.size(), PROT_READ);
}

void MetricPage::hide_from_children() const {
  ::madvise(bytes_.data(), bytes_.size(), MADV_DONTFORK);
}

std::string join_labels(std::span<const std::string> values) {
  std::string labels;
  for (const std::string& value : values) labels.append(value).push_back('\0');
  labels.resize((labels.size() + 7) / 8 * 8);
  return labels;
}

std::string_view take_label(std::string_view& labels) {
  const std::string_view label = labels.substr(0, labels.find('\0'));
  labels.remove_prefix(std::min(label.size() + 1, labels.size()));
  return label;
}

}  // namespace fetchmill::config
