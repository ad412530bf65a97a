// What was known at the moment of a rollback, kept for whoever has to explain it afterwards: a
// directory of small files, and the same as one .tar.zst to send around.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "common/result.hpp"

namespace switchback {

struct EvidenceFile {
  std::string name;  // "status.json"
  std::string content;
};

struct EvidenceBundle {
  std::string name;     // "20260131T120000Z-operator-7"
  std::string path;     // of the directory
  std::string archive;  // of the .tar.zst
};

inline constexpr std::size_t kEvidenceCountMax = 20;  // the newest stay

// Writes both beneath `directory`, which is made when missing. Durable on return.
// Errors: kIo, kNoSpace; what was begun is removed.
Result<EvidenceBundle> WriteEvidence(const std::string& directory, const std::string& name,
                                     const std::vector<EvidenceFile>& files);
// The names of those that are there, the newest first.
std::vector<std::string> ListEvidence(const std::string& directory);

}  // namespace switchback
