// A small file and what stat says about it, read so that the two belong together.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/result.hpp"

namespace switchback {

// Two equal states of a path mean "most likely the same content". Times in ns.
struct FileState {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t bytes = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;  // catches a writer that sets mtime back

  friend bool operator==(const FileState&, const FileState&) = default;
};

struct FileContent {
  FileState state;
  std::string text;
};

// The state of what `path` names, links followed. Errors: kNotFound, kIo.
Result<FileState> StatFile(const std::string& path);

// The content and the state that was true before and after reading it: reads again, a few times,
// when a writer was at it meanwhile. Blocks for the disk only, never on a pipe or a device.
// Errors: kNotFound, kTooLarge (more than `bytes_max`), kInvalidArgument (not a regular file),
// kBusy (never still), kIo.
Result<FileContent> ReadFileContent(const std::string& path, std::size_t bytes_max);

}  // namespace switchback
