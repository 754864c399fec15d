// The format of an image as the request's Accept chooses it: image.resize with `format`: "auto" as
// the last step. Pure.
//
// A pipeline with "auto" never runs: the step is rewritten before its text is used for anything, so
// that equal pipelines give equal results still.
#pragma once

#include "config/error.hpp"
#include "server/fetch/shared_bytes.hpp"

#include <string>
#include <string_view>

namespace fetchmill::handlers {

// Puts the format that Accept prefers into a canonical pipeline whose last step leaves it open, and
// gives whether it did: AVIF and WebP only where they are named, because clients that take anything
// may not know them; among equals AVIF, WebP, the format as which the image came, JPEG, PNG.
// Errors: not_acceptable.
config::Result<bool> choose_format(server::fetch::SharedBytes& pipeline, std::string_view accept);

// For pipelines whose result is not the one answer to a request. Errors: invalid_request.
config::Result<void> refuse_open_format(std::string_view pipeline, std::string field);

}  // namespace fetchmill::handlers
