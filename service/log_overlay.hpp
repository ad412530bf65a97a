// What a stretch of the log makes of a store that has not applied it yet: per key the last effect,
// a value only by its digest. Laid over a snapshot of the store it shows the store as of the end of
// the stretch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "backends/backend.hpp"
#include "service/value_digest.hpp"

namespace switchback {

// One thread. Add in the log's order, then Finish, then look up.
class LogOverlay {
 public:
  struct Entry {
    std::string_view key;
    std::uint32_t order = 0;
    bool is_put = false;
    ValueDigest digest;  // of a put's value
  };
  // The entries of one collection in key order, one a key.
  struct Part {
    const Collection* collection = nullptr;
    bool is_cleared = false;  // the store's own records of the collection count for nothing
    std::vector<Entry> entries;

    [[nodiscard]] const Entry* Find(std::string_view key) const;
  };

  explicit LogOverlay(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // False, and nothing added, when that would take more than `bytes_max`.
  bool Add(const Effect& effect);
  void Finish();
  void Reset();

  // nullptr when the stretch does not touch the collection.
  [[nodiscard]] const Part* Find(const Collection& collection) const;
  // Memory taken by entries and keys.
  [[nodiscard]] std::size_t byte_count() const { return byte_count_; }

 private:
  static constexpr std::size_t kBlockBytes = 256u << 10;

  Part& PartOf(const Collection& collection);
  std::string_view CopyKey(std::string_view key);

  const std::size_t bytes_max_;
  std::vector<Part> parts_;
  std::vector<std::uint32_t> positions_;         // by collection index: 1 + the part's; 0 = none
  std::vector<std::unique_ptr<char[]>> blocks_;  // the keys' bytes
  std::size_t used_ = kBlockBytes;               // of the last block
  std::size_t byte_count_ = 0;
  std::uint32_t order_ = 0;
  bool is_finished_ = false;
};

}  // namespace switchback
