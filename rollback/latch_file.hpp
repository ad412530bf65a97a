// A small JSON document that is replaced with one sync: overwritten in place, within space that the
// file has already, where a new file and its directory would take two. What a power cut leaves half
// written is known by its checksum. Ordinary text for whoever looks at it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "common/result.hpp"

namespace switchback {

// Thread-safe as far as its callers take turns.
class LatchFile {
 public:
  explicit LatchFile(std::string path) : path_(std::move(path)) {}

  // nullopt: there is no file. kCorruption: it is not what was written.
  [[nodiscard]] Result<std::optional<nlohmann::ordered_json>> Read() const;
  // Durable on return. After an error it holds the one or the other, or reads as kCorruption.
  // `document`: an object without the member "checksum".
  [[nodiscard]] Status Write(nlohmann::ordered_json document) const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  [[nodiscard]] Status Overwrite(const std::string& text) const;

  const std::string path_;
};

}  // namespace switchback
