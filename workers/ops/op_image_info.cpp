// image.info: what an image's header says; nothing is decoded.
#include "workers/json/json_write.hpp"
#include "workers/ops/image_library.hpp"
#include "workers/ops/op.hpp"

namespace fetchmill::workers::ops {
namespace {

using config::Result;

void append_number(std::string& out, std::string_view name, int value) {
  out += ",\"" + std::string(name) + "\":";
  json::append_json_number(out, value);
}
void append_flag(std::string& out, std::string_view name, bool value) {
  out += ",\"" + std::string(name) + "\":" + (value ? "true" : "false");
}

class InfoStep final : public Step {
 public:
  Result<void> run(const Input& input, Output& output) override {
    const Result<Image> opened = open_image(input.bytes);
    if (!opened) return opened.error();
    VipsImage& image = **opened;
    std::string& out = output.bytes;
    out += R"({"format":)";
    json::append_json_string(out, image_format(image));
    append_number(out, "width", image.Xsize);
    append_number(out, "height", image.Ysize);
    append_number(out, "orientation", image_number(image, VIPS_META_ORIENTATION, 1));
    append_number(out, "frames", image_number(image, VIPS_META_N_PAGES, 1));
    append_number(out, "channels", image.Bands);
    append_flag(out, "alpha", vips_image_hasalpha(&image) != 0);
    append_number(out, "bits",
                  static_cast<int>(8 * vips_format_sizeof(vips_image_get_format(&image))));
    out += R"(,"color_space":)";
    json::append_json_string(
        out, vips_enum_nick(VIPS_TYPE_INTERPRETATION, vips_image_get_interpretation(&image)));
    append_flag(out, "icc_profile", vips_image_get_typeof(&image, VIPS_META_ICC_NAME) != 0);
    append_flag(out, "exif", vips_image_get_typeof(&image, VIPS_META_EXIF_NAME) != 0);
    out += '}';
    return {};
  }
};

constexpr Example examples[] = {
    {.input = smallest_gif,
     .output =
         R"({"format":"gif","width":1,"height":1,"orientation":1,"frames":1,"channels":4,"alpha":true,"bits":8,"color_space":"srgb","icc_profile":false,"exif":false})",
     .media_type = "image/gif"},
};

}  // namespace

extern const Op image_info_op;
const Op image_info_op{
    .name = "image.info",
    .summary = "Format, size, orientation, frames and colours of an image, from its header.",
    .limits = image_limits,
    .examples = examples,
    .input = image_types,
    .output = "application/json",
    .compile = [](const Op&, const Params&) -> Result<std::unique_ptr<Step>> {
      if (auto ready = set_up_images(); !ready) return ready.error();
      return std::make_unique<InfoStep>();
    },
    .preload = preload_images,
};

}  // namespace fetchmill::workers::ops
