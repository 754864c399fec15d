#include "handlers/image_format.hpp"

#include "handlers/media_type.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace fetchmill::handlers {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

// As a canonical pipeline has them.
constexpr std::string_view step_start = R"({"op":"image.resize",)";
constexpr std::string_view open_format = R"(,"format":"auto")";

struct Offer {
  std::string_view media_type;
  std::string_view format;  // empty: as it came
  bool only_by_name = false;
};
// The better first.
constexpr Offer image_offers[] = {{"image/avif", R"(,"format":"avif")", true},
                                  {"image/webp", R"(,"format":"webp")", true},
                                  {"image/*", ""},
                                  {"image/jpeg", R"(,"format":"jpeg")"},
                                  {"image/png", R"(,"format":"png")"}};

// As which an image came is known too late to be held against what Accept refuses.
bool refuses_one(std::string_view accept) {
  return std::ranges::any_of(image_offers, [&](const Offer& offer) {
    const Acceptance said = acceptance(accept, offer.media_type);
    return !offer.format.empty() && said.by_name() && said.quality <= 0;
  });
}

const Offer* preferred(std::string_view accept) {
  if (accept.find_first_not_of(" \t") == std::string_view::npos) accept = "*/*";
  const bool as_it_came = !refuses_one(accept);
  const Offer* best = nullptr;
  double best_quality = 0;
  for (const Offer& offer : image_offers) {
    const Acceptance said = acceptance(accept, offer.media_type);
    if (said.quality <= best_quality) continue;
    if (offer.only_by_name && !said.by_name()) continue;
    if (offer.format.empty() && !as_it_came) continue;
    best = &offer;
    best_quality = said.quality;
  }
  return best;
}

// Where the last step says so. An object inside of another step's parameters is closed before that
// step is, and a parameter of image.resize holds neither quotes nor braces.
std::optional<std::size_t> find_open_format(std::string_view pipeline) {
  const std::size_t step = pipeline.rfind(step_start);
  if (step == std::string_view::npos || pipeline.find('}', step) + 2 != pipeline.size())
    return std::nullopt;
  const std::size_t at = pipeline.find(open_format, step);
  if (at == std::string_view::npos) return std::nullopt;
  return at;
}

}  // namespace

Result<bool> choose_format(server::fetch::SharedBytes& pipeline, std::string_view accept) {
  const std::optional<std::size_t> at = find_open_format(pipeline);
  if (!at) return false;
  const Offer* chosen = preferred(accept);
  if (chosen == nullptr)
    return Error(ErrorCode::not_acceptable,
                 "an image is answered as image/avif, image/webp, image/jpeg or image/png, and "
                 "Accept takes none of them");
  pipeline = std::string(pipeline).replace(*at, open_format.size(), chosen->format);
  return true;
}

Result<void> refuse_open_format(std::string_view pipeline, std::string field) {
  if (!find_open_format(pipeline)) return {};
  return Error(ErrorCode::invalid_request,
               "format: \"auto\" asks the Accept of a request for one result, which this is not; "
               "name a format",
               std::move(field));
}

}  // namespace fetchmill::handlers
