// What fuzzers assert with: independent of NDEBUG, and a fault to libFuzzer.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string_view>

namespace fetchmill::support {

inline void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

// Whether `view` is empty or lies within `whole`.
inline bool is_inside(std::string_view view, std::string_view whole) {
  const std::less_equal<const char*> not_after;
  return view.empty() || (not_after(whole.data(), view.data()) &&
                          not_after(view.data() + view.size(), whole.data() + whole.size()));
}

}  // namespace fetchmill::support
