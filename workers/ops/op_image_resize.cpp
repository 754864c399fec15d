// image.resize: an image in another size, shape or format.
#include "workers/ops/image_library.hpp"
#include "workers/ops/op.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <iterator>

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

constexpr int side_max = 16'383;  // WebP's, the smallest of the formats'

// The width when only a height is asked for: libvips takes no less than one.
constexpr int any_width = VIPS_MAX_COORD;

struct Bytes {
  void* data = nullptr;
  std::size_t size = 0;
  Bytes() = default;
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;
  ~Bytes() { g_free(data); }
};

struct Settings {
  int width = 0;  // 0: as the height says
  int height = 0;
  std::string fit;
  std::string position;
  bool enlarge = false;
  std::string format;  // empty: as it came
  int quality = 0;     // 0: the format's own
  bool strip = true;
  std::array<double, 3> background{};
};

// ---- Writing

struct Saving {
  VipsImage* image;
  Bytes& into;
  const Settings& settings;
  VipsArrayDouble* background;

  int quality(int otherwise) const { return settings.quality != 0 ? settings.quality : otherwise; }
};

int save_jpeg(const Saving& to) {
  return vips_jpegsave_buffer(to.image, &to.into.data, &to.into.size, "Q", to.quality(80), "strip",
                              to.settings.strip, "optimize_coding", TRUE, "background",
                              to.background, nullptr);
}
int save_png(const Saving& to) {
  return vips_pngsave_buffer(to.image, &to.into.data, &to.into.size, "strip", to.settings.strip,
                             nullptr);
}
int save_webp(const Saving& to) {
  return vips_webpsave_buffer(to.image, &to.into.data, &to.into.size, "Q", to.quality(80), "strip",
                              to.settings.strip, nullptr);
}
// Effort 2 of 9: more takes seconds a megapixel and saves some percent.
int save_avif(const Saving& to) {
  return vips_heifsave_buffer(to.image, &to.into.data, &to.into.size, "Q", to.quality(55), "strip",
                              to.settings.strip, "compression", VIPS_FOREIGN_HEIF_COMPRESSION_AV1,
                              "effort", 2, nullptr);
}

struct Format {
  std::string_view name;
  std::string_view media_type;
  int (*save)(const Saving& to);
};
constexpr Format formats[] = {{"jpeg", "image/jpeg", save_jpeg},
                              {"png", "image/png", save_png},
                              {"webp", "image/webp", save_webp},
                              {"avif", "image/avif", save_avif}};

const Format& format_named(std::string_view name) {
  return *std::ranges::find(formats, name, &Format::name);
}
// What an image is written as when no format is asked for.
std::string_view own_format(std::string_view came_as) {
  if (came_as == "gif") return "png";
  if (came_as == "heic") return "jpeg";
  return came_as;
}

// ---- Sizing

struct Size {
  int width = 0;
  int height = 0;
};

// As one sees it, with its orientation applied.
Size upright_size(VipsImage& image) {
  const bool lies = image_number(image, VIPS_META_ORIENTATION, 1) >= 5;
  return lies ? Size{image.Ysize, image.Xsize} : Size{image.Xsize, image.Ysize};
}

// How large the result becomes at most, and what it is cut out of: what must be within the limits
// before work begins.
double result_pixels(const Settings& settings, const Size& source) {
  const double ratio = static_cast<double>(source.height) / source.width;
  double width = settings.width != 0 ? settings.width : settings.height / ratio;
  double height = settings.height != 0 ? settings.height : width * ratio;
  if (settings.width == 0 && settings.height == 0) {
    width = source.width;
    height = source.height;
  } else if (settings.fit == "cover") {
    const double scale = std::max(width / source.width, height / source.height);
    width = source.width * (settings.enlarge ? scale : std::min(scale, 1.0));
    height = width * ratio;
  }
  return width * height;
}

Error cannot_resize() {
  return image_error("the image cannot be resized");
}

// What a browser would show. Not by the `export_profile` of thumbnail: libvips up to 8.14.4 writes
// beyond its buffer there, when an image with transparency, without a profile, is wider than 10,000
// pixels (libvips #3647), and changes the colours of images without a profile.
Result<Image> in_srgb(Image image) {
  VipsImage* made = nullptr;
  if (vips_image_get_typeof(image.get(), VIPS_META_ICC_NAME) != 0) {
    if (vips_icc_transform(image.get(), &made, "srgb", "embedded", TRUE, nullptr) == 0)
      image.reset(std::exchange(made, nullptr));
    else
      vips_error_clear();  // a broken profile counts as none
  }
  if (vips_image_get_interpretation(image.get()) == VIPS_INTERPRETATION_sRGB) return image;
  if (vips_colourspace(image.get(), &made, VIPS_INTERPRETATION_sRGB, nullptr) != 0)
    return cannot_resize();
  return Image(made);
}

Result<Image> thumbnail(const Input& input, const Settings& settings, const Size& source) {
  const bool box = settings.width != 0 && settings.height != 0;
  const bool natural = settings.width == 0 && settings.height == 0;
  VipsSize size = settings.enlarge ? VIPS_SIZE_BOTH : VIPS_SIZE_DOWN;
  if (box && settings.fit == "fill") size = VIPS_SIZE_FORCE;
  VipsInteresting crop = VIPS_INTERESTING_NONE;
  if (box && settings.fit == "cover")
    crop = static_cast<VipsInteresting>(
        vips_enum_from_nick("image.resize", VIPS_TYPE_INTERESTING, settings.position.c_str()));
  const int width = natural ? source.width : settings.width != 0 ? settings.width : any_width;
  const int height = natural ? source.height : settings.height != 0 ? settings.height : any_width;
  VipsImage* made = nullptr;
  // libvips 8.14 hears of `fail_on` here only in the loader's own options.
  if (vips_thumbnail_buffer(const_cast<char*>(input.bytes.data()), input.bytes.size(), &made, width,
                            "height", height, "size", size, "crop", crop, "option_string",
                            "[fail_on=error]", nullptr) != 0)
    return cannot_resize();
  return in_srgb(Image(made));
}

// Puts the image into the middle of a box of the size asked for.
Result<Image> letterbox(Image image, const Settings& settings) {
  VipsImage* made = nullptr;
  const auto& [red, green, blue] = settings.background;
  const std::array<double, 4> colour{red, green, blue, 255};
  VipsArrayDouble* background = vips_array_double_new(colour.data(), std::min(image->Bands, 4));
  const int failed =
      vips_gravity(image.get(), &made, VIPS_COMPASS_DIRECTION_CENTRE,
                   std::max(settings.width, image->Xsize), std::max(settings.height, image->Ysize),
                   "extend", VIPS_EXTEND_BACKGROUND, "background", background, nullptr);
  vips_area_unref(VIPS_AREA(background));
  if (failed != 0) return cannot_resize();
  return Image(made);
}

// libvips 8.14 forgets to strip WebP, so that what is not to be written is taken away beforehand.
Result<Image> without_metadata(const Image& image) {
  VipsImage* made = nullptr;
  if (vips_copy(image.get(), &made, nullptr) != 0) return cannot_resize();
  char** names = vips_image_get_fields(made);
  for (char** name = names; *name != nullptr; ++name) {
    const std::string_view field = *name;
    if (field.starts_with("exif-") || field == VIPS_META_XMP_NAME || field == VIPS_META_IPTC_NAME ||
        field == VIPS_META_PHOTOSHOP_NAME || field == VIPS_META_ICC_NAME)
      vips_image_remove(made, *name);
  }
  g_strfreev(names);
  return Image(made);
}

class ResizeStep final : public Step {
 public:
  explicit ResizeStep(Settings settings) : settings_(std::move(settings)) {}

  Result<void> run(const Input& input, Output& output) override {
    const Result<Image> opened = open_image(input.bytes);
    if (!opened) return opened.error();
    const Size source = upright_size(**opened);
    if (result_pixels(settings_, source) > image_pixels_max)
      return Error(ErrorCode::processing_failed,
                   "the result, or what it is cut out of, would have more than 50,000,000 pixels");
    Result<Image> resized = thumbnail(input, settings_, source);
    if (resized && settings_.fit == "contain" && settings_.width != 0 && settings_.height != 0)
      resized = letterbox(std::move(*resized), settings_);
    if (resized && settings_.strip) resized = without_metadata(*resized);
    if (!resized) return resized.error();
    const std::string_view wanted =
        settings_.format.empty() ? own_format(image_format(**opened)) : settings_.format;
    return save(**resized, format_named(wanted), output);
  }

 private:
  Result<void> save(VipsImage& image, const Format& format, Output& output) const {
    if (std::max(image.Xsize, image.Ysize) > side_max)
      return Error(ErrorCode::processing_failed,
                   "the result would be " + std::to_string(image.Xsize) + " × " +
                       std::to_string(image.Ysize) + ", and a side has at most 16,383 pixels");
    Bytes bytes;
    VipsArrayDouble* background = vips_array_double_new(
        settings_.background.data(), static_cast<int>(settings_.background.size()));
    const int failed = format.save({&image, bytes, settings_, background});
    vips_area_unref(VIPS_AREA(background));
    // Images are decoded as they are written.
    if (failed != 0) return image_error("the image cannot be decoded and written");
    output.bytes.assign(static_cast<const char*>(bytes.data), bytes.size);
    output.media_type = format.media_type;
    return {};
  }

  Settings settings_;
};

// ---- Parameters

constexpr std::string_view fits[] = {"inside", "cover", "contain", "fill"};
constexpr std::string_view positions[] = {"centre", "attention", "entropy"};
// The last is no format: what handlers replace by the one that Accept chooses.
constexpr auto format_names = [] {
  std::array<std::string_view, std::size(formats) + 1> names;
  for (std::size_t i = 0; i < std::size(formats); ++i) names[i] = formats[i].name;
  names.back() = "auto";
  return names;
}();

std::string colour_fault(std::string_view text) {
  const bool good = text.size() == 7 && text.front() == '#' &&
                    text.find_first_not_of("0123456789abcdefABCDEF", 1) == std::string_view::npos;
  return good ? std::string() : "must be a colour such as #ffcc00";
}

std::array<double, 3> colour_of(const std::string& text) {
  std::array<double, 3> colour{};
  for (std::size_t i = 0; i < colour.size(); ++i)
    colour[i] = static_cast<double>(std::strtol(text.substr(1 + 2 * i, 2).c_str(), nullptr, 16));
  return colour;
}

// A side in pixels of the screen; 0 when it is not given.
double side(const Params& given, const char* name) {
  const ParamValue* value = given.find(name);
  if (value == nullptr) return 0;
  return std::max(1.0, std::round(static_cast<double>(std::get<std::int64_t>(*value)) *
                                  given.get<double>("dpr")));
}

Result<void> check(const Params& given) {
  for (const char* name : {"width", "height"})
    if (side(given, name) > side_max)
      return Error(ErrorCode::invalid_request,
                   std::string(name) + " times dpr must be at most 16383", name);
  return {};
}

Result<std::unique_ptr<Step>> compile(const Op&, const Params& given) {
  if (auto ready = set_up_images(); !ready) return ready.error();
  Settings settings{.width = static_cast<int>(side(given, "width")),
                    .height = static_cast<int>(side(given, "height")),
                    .fit = given.get<std::string>("fit"),
                    .position = given.get<std::string>("position"),
                    .enlarge = given.get<bool>("enlarge"),
                    .format = {},
                    .strip = given.get<bool>("strip"),
                    .background = colour_of(given.get<std::string>("background"))};
  if (const ParamValue* format = given.find("format"))
    settings.format = std::get<std::string>(*format);
  if (const ParamValue* quality = given.find("quality"))
    settings.quality = static_cast<int>(std::get<std::int64_t>(*quality));
  if (settings.format == "auto")
    return Error(ErrorCode::invalid_request,
                 "only the last step of a request for one result can leave the format to Accept",
                 "format");
  if (settings.format == "avif" && vips_type_find("VipsOperation", "heifsave_buffer") == 0)
    return Error(ErrorCode::invalid_request, "AVIF cannot be written here", "format");
  return std::make_unique<ResizeStep>(std::move(settings));
}

constexpr ParamSpec params[] = {
    {.name = "width",
     .types = integer_type,
     .min = 1,
     .max = side_max,
     .description = "In pixels, before dpr. Without a height, the height follows; without both the "
                    "image keeps its size."},
    {.name = "height",
     .types = integer_type,
     .min = 1,
     .max = side_max,
     .description = "In pixels, before dpr. Without a width, the width follows."},
    {.name = "fit",
     .default_json = "\"inside\"",
     .values = fits,
     .description =
         "How an image of another shape takes the box of width and height. inside: all "
         "of it, within the box. cover: the box is filled, the rest is cut off. contain: "
         "all of it, in the middle of a box of the background. fill: stretched."},
    {.name = "position",
     .default_json = "\"centre\"",
     .values = positions,
     .description = "What cover keeps: the centre, what draws attention, or where most happens."},
    {.name = "enlarge",
     .types = boolean_type,
     .default_json = "false",
     .description = "Make images larger than they are. fill always does."},
    {.name = "dpr",
     .types = number_type,
     .default_json = "1",
     .min = 0.1,
     .max = 8,
     .description = "Pixels of the result per pixel of width and height."},
    {.name = "format",
     .values = format_names,
     .description = "By default that of the image; PNG for a GIF, of which the first frame is "
                    "taken, and JPEG for HEIC. auto: what the request's Accept prefers, AVIF and "
                    "WebP where it names them; in the last step, and not in a batch."},
    {.name = "quality",
     .types = integer_type,
     .min = 1,
     .max = 100,
     .description = "By default 80, for AVIF 55. PNG has none."},
    {.name = "strip",
     .types = boolean_type,
     .default_json = "true",
     .description = "Leave out EXIF, XMP and the colour profile; colours are converted to sRGB."},
    {.name = "background",
     .default_json = "\"#ffffff\"",
     .fault = colour_fault,
     .description = "Behind what is transparent, in JPEG, and around the image with contain."},
};

constexpr std::string_view the_same_as_png(
    "\211PNG\015\012\032\012\000\000\000\015IHDR\000\000\000\001\000\000\000\001\010\006\000\000"
    "\000\037\025\304\211\000\000\000\011pHYs\000\000\003\350\000\000\003\350\001\265\173Rk\000\000"
    "\000\013IDAT\010\231c`\000\002\000\000\005\000\001bU2\210\000\000\000\000IEND\256B`\202",
    89);
constexpr Example examples[] = {
    {.params = R"({"format":"png"})",
     .input = smallest_gif,
     .output = the_same_as_png,
     .media_type = "image/gif"},
};

}  // namespace

extern const Op image_resize_op;
const Op image_resize_op{
    .name = "image.resize",
    .summary = "An image in another size, shape or format, upright.",
    .limits = image_limits,
    .examples = examples,
    .params = params,
    .input = image_types,
    .output = "image/*",
    .check = check,
    .compile = compile,
    .preload = preload_images,
};

}  // namespace fetchmill::workers::ops
