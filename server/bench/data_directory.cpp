#include "server/bench/data_directory.hpp"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <utility>

namespace switchback::bench {

Result<DataDirectory> DataDirectory::Create(const std::string& parent) {
  std::string path = parent;
  if (path.empty()) {
    const char* temporary = std::getenv("TMPDIR");
    path = temporary != nullptr && *temporary != '\0' ? temporary : "/var/tmp";
  }
  path += "/switchback-bench-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) return FailErrno("make " + path, errno);
  return DataDirectory(std::move(path));
}

DataDirectory::DataDirectory(DataDirectory&& other) noexcept
    : path_(std::exchange(other.path_, {})) {}

DataDirectory::~DataDirectory() {
  if (path_.empty()) return;
  std::error_code
      ignored;  // nobody can do more about it, and what is left lies in a temporary place
  std::filesystem::remove_all(path_, ignored);
}

void DataDirectory::Clear() {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(path_, ignored))
    std::filesystem::remove_all(entry.path(), ignored);
}

}  // namespace switchback::bench
