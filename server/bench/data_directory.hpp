// Where a benchmark keeps its stores.
#pragma once

#include <string>

#include "common/result.hpp"

namespace switchback::bench {

// A new directory, removed with everything in it at the end. Move-only.
class DataDirectory {
 public:
  // Makes one below `parent`; "" = $TMPDIR or /var/tmp. Not /tmp: it may be a tmpfs, where durable
  // writes cost nothing and mean nothing. Error: kIo, kNoSpace, kNotFound.
  static Result<DataDirectory> Create(const std::string& parent);
  DataDirectory(DataDirectory&& other) noexcept;
  DataDirectory& operator=(DataDirectory&&) = delete;
  ~DataDirectory();

  [[nodiscard]] const std::string& path() const { return path_; }
  // A subdirectory's path; it is not made.
  [[nodiscard]] std::string Below(const std::string& name) const { return path_ + "/" + name; }
  // Removes what is in it.
  void Clear();

 private:
  explicit DataDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace switchback::bench
