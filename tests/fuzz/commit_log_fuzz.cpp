// Any bytes as files of the commit log: recovery never crashes and never invents a batch. What it
// accepts of a damaged log is a prefix of what was appended.
#include <stdlib.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "common/bytes.hpp"
#include "common/check.hpp"
#include "service/batch.hpp"
#include "service/commit_log.hpp"

namespace switchback {
namespace {

constexpr std::uint64_t kFileBytes = 8192;

const std::string& Directory() {
  static const std::string directory = [] {
    std::string pattern = "/dev/shm/commit-log-fuzz-XXXXXX";
    SB_CHECK(::mkdtemp(pattern.data()) != nullptr, "a directory in memory");
    return pattern;
  }();
  return directory;
}

void Empty() {
  for (const auto& entry : std::filesystem::directory_iterator(Directory()))
    std::filesystem::remove(entry.path());
}

std::string PathOf(std::uint64_t first_sequence) {
  std::string digits = std::to_string(first_sequence);
  return Directory() + "/log-" + std::string(20 - digits.size(), '0') + digits;
}

Result<std::unique_ptr<CommitLog>> Open() {
  return CommitLog::Open(
      {.directory = Directory(), .file_bytes = kFileBytes, .make_spares = false});
}

// Everything that can be read, up to the first error.
std::vector<std::string> ReadAll(const CommitLog& log) {
  std::vector<std::string> payloads;
  CommitLog::Reader reader = log.NewReader(log.first_sequence() - 1);
  while (true) {
    auto record = reader.Next(UINT64_MAX);
    if (!record || !record->has_value()) return payloads;
    payloads.emplace_back((*record)->payload);
  }
}

// The bytes as they are: as the only file, and as a payload.
void RecoverRaw(std::string_view bytes) {
  std::ofstream(PathOf(1), std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (auto log = Open()) {
    const std::uint64_t last = (*log)->last_sequence();
    SB_CHECK(ReadAll(**log).size() == last, "every batch up to the last can be read");
    SB_CHECK((*log)->Append("", "next").has_value(), "a recovered log takes appends");
    SB_CHECK((*log)->last_sequence() == last + 1, "in order");
  }
  CollectionCatalog catalog;
  if (const auto effects = DecodeBatch(bytes, catalog)) {
    for (const Effect& effect : *effects)
      SB_CHECK((effect.kind == EffectKind::kClear) == effect.key.empty(), "a store can hold it");
  }
}

// A log of several files, then bytes of it changed and files cut as the input says.
void RecoverDamaged(ByteReader& input) {
  std::vector<std::string> appended;
  {
    auto log = Open();
    SB_CHECK(log.has_value(), "an empty directory makes a log");
    for (int count = input.ReadInteger<std::uint8_t>() % 24; count > 0; --count) {
      appended.emplace_back(input.ReadInteger<std::uint16_t>() % 1500, static_cast<char>(count));
      SB_CHECK((*log)->Append("", appended.back()).has_value(), "appends work");
    }
  }
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(Directory()))
    files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  while (input.remaining() >= 4) {
    const std::string& path = files[input.ReadInteger<std::uint8_t>() % files.size()];
    const std::uint64_t size = std::filesystem::file_size(path);
    const std::uint64_t offset = input.ReadInteger<std::uint16_t>() % (size + 1);
    const auto value = input.ReadInteger<std::uint8_t>();
    if (value == 0 || offset == size) {
      std::filesystem::resize_file(path, offset);
    } else {
      std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(static_cast<std::streamoff>(offset));
      file.put(static_cast<char>(value));
    }
  }
  auto log = Open();
  if (!log) {
    const ErrorCode code = log.error().code;
    SB_CHECK(code == ErrorCode::kCorruption || code == ErrorCode::kUnsupported, "a clear refusal");
    return;
  }
  const std::vector<std::string> found = ReadAll(**log);
  SB_CHECK(found.size() <= appended.size(), "no batch is invented");
  for (std::size_t i = 0; i < found.size(); ++i)
    SB_CHECK(found[i] == appended[i], "a batch is whole or not there");
}

}  // namespace
}  // namespace switchback

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  switchback::Empty();
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switchback::ByteReader reader(bytes);
  if (data[0] % 2 == 0) {
    switchback::RecoverRaw(bytes);
  } else {
    switchback::RecoverDamaged(reader);
  }
  return 0;
}
