// Batches for tests of what comes after the log: written down in one line.
#pragma once

#include <string>
#include <vector>

#include "service/batch.hpp"
#include "tests/support/expect_ok.hpp"

namespace switchback::test {

// Makes batches with consecutive sequences from `first` on.
class BatchMaker {
 public:
  explicit BatchMaker(std::uint64_t first = 1) : next_(first) {}

  const Collection& collection(const std::string& name) { return *Must(catalog_.Intern(name)); }
  CollectionCatalog& catalog() { return catalog_; }

  BatchMaker& Put(const std::string& name, std::string_view key, std::string_view value) {
    builder_.Add(EffectKind::kPut, collection(name), key, value);
    return *this;
  }
  BatchMaker& Delete(const std::string& name, std::string_view key) {
    builder_.Add(EffectKind::kDelete, collection(name), key, {});
    return *this;
  }
  BatchMaker& Clear(const std::string& name) {
    builder_.Add(EffectKind::kClear, collection(name), {}, {});
    return *this;
  }
  Batch Take() { return builder_.Take(next_++); }

 private:
  CollectionCatalog catalog_;
  BatchBuilder builder_;
  std::uint64_t next_;
};

// "put a/k=v; clear b": effects as text.
inline std::string TextOf(const std::vector<Effect>& effects) {
  std::string text;
  for (const Effect& effect : effects) {
    if (!text.empty()) text += "; ";
    const std::string place = effect.collection->name + "/" + std::string(effect.key);
    if (effect.kind == EffectKind::kPut) text += "put " + place + "=" + std::string(effect.value);
    if (effect.kind == EffectKind::kDelete) text += "delete " + place;
    if (effect.kind == EffectKind::kClear) text += "clear " + effect.collection->name;
  }
  return text;
}

}  // namespace switchback::test
