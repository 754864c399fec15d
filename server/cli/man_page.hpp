// docs/fetchmill.1: the command line and every setting as a man page. Pure.
#pragma once

#include <string>

namespace fetchmill::server::cli {

std::string man_page();

}  // namespace fetchmill::server::cli
