// A folder for one test, removed afterwards.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "common/check.hpp"
#include "common/file.hpp"

namespace switchback {

class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "switchback-XXXXXX").string();
    SB_CHECK(::mkdtemp(name.data()) != nullptr, "a scratch folder can be made");
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string Write(const std::string& name, const std::string& content) const {
    const std::string file = path_ + "/" + name;
    SB_CHECK(WriteFileAtomically(file, content).has_value(), "a scratch file can be written");
    return file;
  }
  [[nodiscard]] std::string Read(const std::string& name) const {
    return ReadWholeFile(path_ + "/" + name, 1u << 20).value_or("");
  }

 private:
  std::string path_;
};

}  // namespace switchback
