// The files of the operator's console, which are part of the program (cmake/embed_console.py).
#pragma once

#include <span>
#include <string_view>

namespace switchback {

struct ConsoleFile {
  std::string_view path;  // of the URL: "/", "/console/style.css"
  std::string_view content_type;
  std::string_view etag;  // strong, in its quotes, of `content`
  std::string_view content;
  std::string_view gzip;  // the same, compressed
};

// All of them, ordered by their names. They live as long as the process; any thread may read them.
std::span<const ConsoleFile> ConsoleFiles();

}  // namespace switchback
