// libvips as untrusted bytes must meet it: five formats, no files, no threads to spare, a bound on
// pixels that is held before any is decoded.
//
// Process: worker, except preload_images(). libvips is initialised at the first use, never before
//   a fork.
// Errors: processing_failed.
// Trust: bytes from the internet. Loaders of other formats are blocked, also from being guessed.
#pragma once

#include "config/error.hpp"

#include <memory>
#include <string_view>

#include <vips/vips.h>

namespace fetchmill::workers::ops {

// Of the stored image and of the result. Decoders that need a whole image in memory take up to 4
// bytes a pixel, or 8 with 16 bits a sample.
inline constexpr double image_pixels_max = 50e6;
// Frames of an animation, whose places are read before its first frame.
inline constexpr int image_frames_max = 10'000;

inline constexpr std::string_view image_limits =
    "50,000,000 pixels and 10,000 frames, looked at before decoding; processing_failed says what "
    "the image has.";
inline constexpr std::string_view image_types[] = {"image/jpeg", "image/png",  "image/webp",
                                                   "image/gif",  "image/avif", "image/heic"};

// For examples: one pixel, transparent.
inline constexpr std::string_view smallest_gif(
    "GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\4\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\1D\0;", 42);

struct FreeImage {
  void operator()(VipsImage* image) const { g_object_unref(image); }
};
using Image = std::unique_ptr<VipsImage, FreeImage>;

// Op::preload. Loads the code that libvips would load when it is initialised.
void preload_images();

// Whether the library works here; invalid_request could not mend it, so it is internal_error.
config::Result<void> set_up_images();

// The image, its header read and within the limits, its pixels not looked at.
// Lifetime: the bytes outlive it.
config::Result<Image> open_image(std::string_view bytes);

// "jpeg", "png", "webp", "gif", "avif" or "heic".
std::string_view image_format(VipsImage& image);
// A number of the header, or `otherwise`.
int image_number(VipsImage& image, const char* name, int otherwise);

// processing_failed with what libvips says has happened, which is then forgotten.
config::Error image_error(std::string_view doing);

}  // namespace fetchmill::workers::ops
