// A page of metrics: the values of every series of one process, as plain 64-bit integers.
//
// With more than one loop (server.loops) each writes a page of its own, all of them are mapped by
// all loops, and a scrape adds them up, whichever loop it comes to. Nothing is sent and nobody is
// waited for. A page outlives the process that wrote it, whose successor goes on counting on it, so
// that no counter ever falls. Series are only added, and what is written once about one stays.
//
// Owner: the Metrics, or with several loops their parent. Process: one writes a page: its loop, and
// while none lives, the parent. Bytes: sparse; a page of memory exists once it is touched.
// Requires: readers are forked from the process that made it. Errors: throws std::system_error when
// there is no address space left. Trust: loops trust each other; workers never map it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <sys/types.h>

namespace fetchmill::config {

class MetricPage {
 public:
  enum class Seen : std::uint8_t { by_this_process, by_all_forked };

  explicit MetricPage(Seen seen = Seen::by_this_process);
  MetricPage(MetricPage&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MetricPage& operator=(MetricPage&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MetricPage();

  // One more series, whose values are 0. `labels`: join_labels(). Requires: `row` is one of
  // metrics.def and has fewer than series_max series.
  std::span<std::uint64_t> add(std::uint32_t row, std::string_view labels, std::size_t values);

  // Calls visit(row, labels, std::span<std::uint64_t> values) for each series.
  template <class Visitor>
  void for_each(Visitor&& visit) const {
    const std::uint64_t used = header().used.load(std::memory_order_acquire);
    for (std::uint64_t at = sizeof(Header); at < used;) {
      const Series& series = series_at(at);
      visit(series.row, labels_of(series), values_of(series));
      at += bytes_of(series.label_bytes, series.values);
    }
  }

  // Whose page it is; 0: nobody's at the moment.
  pid_t process() const { return header().process.load(std::memory_order_relaxed); }
  void belongs_to(pid_t process) { header().process.store(process, std::memory_order_relaxed); }

  // This process only reads it from now on.
  void forbid_writing() const;
  // Children of this process do not have it.
  void hide_from_children() const;

  static constexpr std::size_t series_max = 1001;     // of one row
  static constexpr std::size_t label_bytes_max = 63;  // of one label's value
  static constexpr std::size_t labels_max = 3;
  static constexpr std::size_t values_max = 18;

 private:
  struct Header {
    std::atomic<std::uint64_t> used;
    std::atomic<pid_t> process;
  };
  // Its labels and its values follow.
  struct Series {
    std::uint32_t row;
    std::uint16_t label_bytes;
    std::uint16_t values;
  };
  static constexpr std::size_t bytes_of(std::size_t label_bytes, std::size_t values) {
    return sizeof(Series) + label_bytes + values * sizeof(std::uint64_t);
  }
  static const std::size_t page_bytes;

  Header& header() const { return *reinterpret_cast<Header*>(bytes_.data()); }
  Series& series_at(std::uint64_t at) const {
    return *reinterpret_cast<Series*>(bytes_.data() + at);
  }
  static std::string_view labels_of(const Series& series) {
    return {reinterpret_cast<const char*>(&series + 1), series.label_bytes};
  }
  static std::span<std::uint64_t> values_of(const Series& series) {
    const char* labels_end = labels_of(series).data() + series.label_bytes;
    return {reinterpret_cast<std::uint64_t*>(const_cast<char*>(labels_end)), series.values};
  }

  std::span<std::byte> bytes_;
};

// The values of a series' labels as one text, of a multiple of 8 bytes; and taken apart again.
std::string join_labels(std::span<const std::string> values);
std::string_view take_label(std::string_view& labels);

// What another process reads meanwhile, or writes.
inline void write_shared(std::uint64_t& value, std::uint64_t to) {
  std::atomic_ref(value).store(to, std::memory_order_relaxed);
}
inline std::uint64_t read_shared(std::uint64_t& value) {
  return std::atomic_ref(value).load(std::memory_order_relaxed);
}

}  // namespace fetchmill::config
