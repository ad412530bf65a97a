// A file that is there whole or not at all: written as PATH.tmp, synced, renamed. Or standard
// output.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/file.hpp"
#include "common/result.hpp"

namespace switchback {

// One thread. Its end without Commit removes what was written.
class OutputFile {
 public:
  // `path` "-" is standard output. Mode 0600: what it will hold is as confidential as the stores.
  // Errors: kRefused (it is there, and `may_replace` is false), kConflict (another process is
  // writing it), kIo, kNoSpace.
  static Result<OutputFile> Open(const std::string& path, bool may_replace);
  ~OutputFile();
  OutputFile(OutputFile&&) noexcept = default;
  OutputFile& operator=(OutputFile&&) = delete;

  // Keeps up to a mebibyte back. Errors: kNoSpace, kIo; kCancelled when standard output is closed.
  Status Write(std::string_view bytes);
  // Writes what is left; from then on the file is there, also after a power cut. kRefused when it
  // has come into being meanwhile and must not be replaced.
  Status Commit();

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  OutputFile(std::string path, UniqueFd fd, bool may_replace)
      : path_(std::move(path)), fd_(std::move(fd)), may_replace_(may_replace) {}
  Status Flush();
  [[nodiscard]] bool is_standard() const { return path_ == "-"; }
  [[nodiscard]] std::string TemporaryPath() const { return path_ + ".tmp"; }

  std::string path_;
  UniqueFd fd_;  // not open for standard output, and once it is committed
  bool may_replace_;
  std::string buffer_;
  std::uint64_t bytes_ = 0;
};

}  // namespace switchback
