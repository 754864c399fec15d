#include "config/error.hpp"

#include <array>

namespace fetchmill::config {
namespace {

constexpr std::array catalogue{
#define ERROR(code, status, retryable, title, advice) \
  ErrorInfo{ErrorCode::code, #code, status, retryable, title, advice},
#include "config/errors.def"
#undef ERROR
};

}  // namespace

std::span<const ErrorInfo> error_catalogue() {
  return catalogue;
}

const ErrorInfo& info(ErrorCode code) {
  return catalogue[static_cast<std::size_t>(code)];
}

const ErrorInfo* find_error(std::string_view name) {
  for (const ErrorInfo& row : catalogue)
    if (row.name == name) return &row;
  return nullptr;
}

bool is_retryable(const Error& error) {
  if (error.code == ErrorCode::upstream_status) return is_passing_status(error.upstream_status);
  return info(error.code).retryable;
}

}  // namespace fetchmill::config
