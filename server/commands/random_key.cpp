#include "server/commands/random_key.hpp"

#include <algorithm>

#include "server/commands/key_range.hpp"

namespace switchback {
namespace {

using Key = std::optional<std::string>;

class RandomWalk {
 public:
  RandomWalk(RecordReader& reader, const Collection& collection, std::mt19937_64& random)
      : reader_(reader), collection_(collection), random_(random) {}

  Result<Key> Run() {
    std::string prefix;
    Result<Key> chosen = Seek(prefix);
    if (!chosen || !*chosen) return chosen;
    while (true) {
      const std::string first = **chosen;  // the first key that begins with `prefix`
      const std::size_t shared = SharedBytes(first, prefix);
      if (error_) return Fail(*error_);
      unsigned low = 0;
      if (shared < first.size()) {
        low = Byte(first[shared]);
      } else {
        // The others all go on where `first` ends.
        const Result<Key> longer = SeekLonger(first);
        if (!longer) return longer;
        if (!*longer) return chosen;
        low = Byte((**longer)[shared]);
      }
      prefix = first.substr(0, shared);
      const unsigned high = HighestBranch(prefix, low);
      if (error_) return Fail(*error_);
      // Stop at `first`, or walk on among the longer ones: it counts as one branch more.
      if (shared == first.size() && Between(low, high + 1) == low) return chosen;
      prefix += static_cast<char>(Between(low, high));
      Result<Key> next = Seek(prefix);
      // Nothing there any more: another connection is deleting. What was found last will do.
      if (!next) return next;
      if (!*next || !(*next)->starts_with(prefix.substr(0, shared))) return chosen;
      chosen = std::move(next);
      prefix = (*chosen)->substr(0, shared + 1);
    }
  }

 private:
  static unsigned Byte(char c) { return static_cast<unsigned char>(c); }

  unsigned Between(unsigned low, unsigned high) {
    return std::uniform_int_distribution<unsigned>(low, high)(random_);
  }

  // The first key >= `from`.
  Result<Key> Seek(std::string_view from) {
    Key found;
    // No key is longer than this, so a key >= a longer `from` is a key > its beginning: close
    // enough for a choice at random, and backends need not take longer keys.
    const std::string_view start = from.substr(0, kKeyBytesMax);
    const Status status = reader_.Scan(collection_, start, [&](std::string_view key, auto) {
      found = std::string(key);
      return false;
    });
    if (!status) return Fail(status.error());
    return found;
  }

  // Is there a key that begins with `prefix` and is >= `from`?
  bool HasFrom(std::string_view prefix, std::string_view from) {
    const Result<Key> found = Seek(from);
    if (!found) {
      error_ = found.error();
      return false;
    }
    return *found && (*found)->starts_with(prefix);
  }

  // The first key that begins with `key` and is longer.
  Result<Key> SeekLonger(const std::string& key) {
    if (key.size() == kKeyBytesMax) return Key();
    Result<Key> found = Seek(key + '\0');
    if (found && *found && !(*found)->starts_with(key)) return Key();
    return found;
  }

  // How many bytes of `first`, the first key with `prefix`, all keys with `prefix` begin with.
  std::size_t SharedBytes(const std::string& first, const std::string& prefix) {
    std::size_t low = prefix.size();
    std::size_t high = first.size();
    while (low < high) {
      const std::size_t middle = (low + high + 1) / 2;
      const std::string above = PrefixSuccessor(std::string_view(first).substr(0, middle));
      if (!above.empty() && HasFrom(prefix, above)) {
        high = middle - 1;
      } else {
        low = middle;
      }
    }
    return low;
  }

  // The highest byte that follows `prefix` in any key; `low` follows it in some key.
  unsigned HighestBranch(const std::string& prefix, unsigned low) {
    unsigned high = 255;
    while (low < high) {
      const unsigned middle = (low + high + 1) / 2;
      if (HasFrom(prefix, prefix + static_cast<char>(middle))) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  RecordReader& reader_;
  const Collection& collection_;
  std::mt19937_64& random_;
  std::optional<Error> error_;
};

}  // namespace

Result<std::optional<std::string>> ChooseRandomKey(RecordReader& reader,
                                                   const Collection& collection,
                                                   std::mt19937_64& random) {
  return RandomWalk(reader, collection, random).Run();
}

}  // namespace switchback
