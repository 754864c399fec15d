// Why a fetch failed, in the words of Proxy-Status (RFC 9209). Pure.
#pragma once

#include "config/error.hpp"

#include <string>
#include <string_view>

namespace fetchmill::handlers {

// The error type of RFC 9209 §2.3; empty where none fits.
std::string_view proxy_error_type(const config::Error& error);

// Appends the field line, if the error is one of a fetch.
void append_proxy_status(std::string& headers, const config::Error& error);

}  // namespace fetchmill::handlers
