// What a collection holds, in one number: equal digests mean equal records, whichever engine holds
// them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct XXH3_state_s;

namespace switchback {

struct CollectionDigest {
  std::string name;
  std::uint64_t record_count = 0;
  std::string hash;  // 32 hexadecimal digits

  friend bool operator==(const CollectionDigest&, const CollectionDigest&) = default;
};

// XXH3-128 over the records in key order: of each the sizes of key and value (4 bytes each, little
// endian), then key and value.
class CollectionHasher {
 public:
  CollectionHasher();
  ~CollectionHasher();
  CollectionHasher(const CollectionHasher&) = delete;
  CollectionHasher& operator=(const CollectionHasher&) = delete;

  void Add(std::string_view key, std::string_view value);
  [[nodiscard]] std::uint64_t record_count() const { return record_count_; }
  [[nodiscard]] CollectionDigest Finish(std::string name) const;

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const noexcept;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
  std::uint64_t record_count_ = 0;
};

}  // namespace switchback
