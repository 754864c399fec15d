#include "workers/ops/image_library.hpp"

#include <algorithm>
#include <iterator>
#include <string>

#include <dlfcn.h>
#include <gmodule.h>
#include <vips/vector.h>

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

// What libheif's part of libvips is: a module, which libvips looks for in a folder. A worker has no
// folders, but what has been loaded under this name is found under it.
constexpr const char* heif_module = FETCHMILL_VIPS_MODULES "/vips-heif.so";

struct Loader {
  const char* class_name;
  std::string_view format;
};
constexpr Loader loaders[] = {{"VipsForeignLoadJpeg", "jpeg"},
                              {"VipsForeignLoadPng", "png"},
                              {"VipsForeignLoadWebp", "webp"},
                              {"VipsForeignLoadNsgif", "gif"},
                              {"VipsForeignLoadHeif", "heic"}};

void ignore_log(const char*, GLogLevelFlags, const char*, void*) {}

bool start_library() {
  g_log_set_default_handler(ignore_log, nullptr);
  if (vips_init("fetchmill") != 0) return false;
  // Missing, it takes AVIF and HEIC with it and nothing else.
  g_module_open(heif_module, G_MODULE_BIND_LAZY);
  vips_concurrency_set(1);
  vips_cache_set_max(0);
  // Makes code as it runs, which a worker may not.
  vips_vector_set_enabled(FALSE);
  vips_block_untrusted_set(TRUE);
  vips_operation_block_set("VipsForeignLoad", TRUE);
  for (const Loader& loader : loaders) vips_operation_block_set(loader.class_name, FALSE);
  return true;
}

}  // namespace

void preload_images() {
  ::dlopen(heif_module, RTLD_LAZY | RTLD_LOCAL);
}

Result<void> set_up_images() {
  static const bool started = start_library();
  if (!started) return Error(ErrorCode::internal_error, "the image library does not start");
  return {};
}

Result<Image> open_image(std::string_view bytes) {
  if (bytes.empty()) return Error(ErrorCode::processing_failed, "not an image: empty");
  // A blocked loader may still look at the bytes when it is opened: none is.
  const char* found = vips_foreign_find_load_buffer(bytes.data(), bytes.size());
  const std::string_view loader = found == nullptr ? "" : found;
  if (std::ranges::none_of(loaders, [loader](const Loader& known) {
        return loader.starts_with(known.class_name);
      })) {
    vips_error_clear();
    return Error(ErrorCode::processing_failed,
                 "not an image that is read: neither JPEG, PNG, WebP, GIF, AVIF nor HEIC");
  }
  Image image(vips_image_new_from_buffer(bytes.data(), bytes.size(), "", "access",
                                         VIPS_ACCESS_SEQUENTIAL, nullptr));
  if (image == nullptr) return image_error("the image cannot be read");
  const double pixels = static_cast<double>(image->Xsize) * image->Ysize;
  if (pixels > image_pixels_max)
    return Error(ErrorCode::processing_failed, "the image has " + std::to_string(image->Xsize) +
                                                   " × " + std::to_string(image->Ysize) +
                                                   " pixels, more than 50,000,000");
  const int frames = image_number(*image, VIPS_META_N_PAGES, 1);
  if (frames > image_frames_max)
    return Error(ErrorCode::processing_failed,
                 "the image has " + std::to_string(frames) + " frames, more than 10,000");
  return image;
}

std::string_view image_format(VipsImage& image) {
  const char* name = nullptr;
  if (vips_image_get_string(&image, VIPS_META_LOADER, &name) != 0) {
    vips_error_clear();
    return {};
  }
  // "jpegload_buffer"
  const std::string_view loader = name;
  if (loader.starts_with("heif")) {
    const char* codec = nullptr;
    if (vips_image_get_string(&image, "heif-compression", &codec) != 0) vips_error_clear();
    return codec != nullptr && std::string_view(codec) == "av1" ? "avif" : "heic";
  }
  const auto* found = std::ranges::find_if(
      loaders, [loader](const Loader& known) { return loader.starts_with(known.format); });
  return found == std::end(loaders) ? std::string_view() : found->format;
}

int image_number(VipsImage& image, const char* name, int otherwise) {
  int value = 0;
  if (vips_image_get_typeof(&image, name) == 0) return otherwise;
  if (vips_image_get_int(&image, name, &value) == 0) return value;
  vips_error_clear();
  return otherwise;
}

Error image_error(std::string_view doing) {
  std::string_view said = vips_error_buffer();
  said = said.substr(0, said.find('\n'));
  Error error(ErrorCode::processing_failed, std::string(doing) + ": " + std::string(said));
  vips_error_clear();
  return error;
}

}  // namespace fetchmill::workers::ops
