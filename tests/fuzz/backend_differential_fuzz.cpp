// Bytes become batches, restarts and snapshots; LMDB, SQLite and the in-memory model must end with
// the same answers to the same questions. Differences abort. Run with TMPDIR on a tmpfs: the engines
// sync at every batch.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backends/lmdb_backend.hpp"
#include "backends/memory_backend.hpp"
#include "backends/sqlite_backend.hpp"
#include "common/check.hpp"
#include "common/log.hpp"

namespace switchback {
namespace {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : at_(data), end_(data + size) {}
  [[nodiscard]] bool is_empty() const { return at_ == end_; }
  std::uint8_t Byte() { return is_empty() ? 0 : *at_++; }
  std::string Bytes(std::size_t size) {
    std::string bytes;
    while (bytes.size() < size && !is_empty()) bytes += static_cast<char>(Byte());
    return bytes;
  }

 private:
  const std::uint8_t* at_;
  const std::uint8_t* const end_;
};

std::string TemporaryPath() {
  std::string pattern =
      (std::filesystem::temp_directory_path() / "switchback-fuzz-XXXXXX").string();
  SB_CHECK(::mkdtemp(pattern.data()) != nullptr, "a temporary directory");
  return pattern;
}

class Trio {
 public:
  Trio() : path_(TemporaryPath()) { Open(); }
  ~Trio() {
    backends_.clear();
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  void Open() {
    backends_.clear();
    LmdbOptions lmdb;
    lmdb.path = path_ + "/legacy";
    lmdb.map_bytes_min = 1 << 20;
    auto legacy = LmdbBackend::Open(lmdb, catalog_);
    SB_CHECK(legacy.has_value(), "LMDB opens again");
    SqliteOptions sqlite;
    sqlite.path = path_ + "/unified.sqlite";
    sqlite.checkpoint_pages = 8;
    auto unified = SqliteBackend::Open(sqlite, catalog_);
    SB_CHECK(unified.has_value(), "SQLite opens again");
    backends_.push_back(std::make_unique<MemoryBackend>(store_, catalog_));
    backends_.push_back(*std::move(legacy));
    backends_.push_back(*std::move(unified));
  }

  // The same batch for all: accepted by all, or refused by all with one code.
  void Apply(Input& input) {
    std::vector<std::string> bytes(64);
    std::vector<Effect> effects;
    const std::size_t count = input.Byte() % 32;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint8_t kind = input.Byte();
      std::string& key = bytes[2 * i];
      std::string& value = bytes[2 * i + 1];
      key = "k" + input.Bytes(kind % 8);
      if (kind % 61 == 0) key.append(505, 'k');  // around the limit of 511
      const Collection& collection = **catalog_.Intern(kNames[(kind >> 3) % 4]);
      if (kind < 160) {
        value = input.Bytes(input.Byte() % 16);
        value.resize(value.size() * (1 + input.Byte() % 128), 'v');
        effects.push_back({EffectKind::kPut, &collection, key, value});
      } else if (kind < 250) {
        effects.push_back({EffectKind::kDelete, &collection, key, {}});
      } else {
        effects.push_back({EffectKind::kClear, &collection, {}, {}});
      }
    }
    StoreState state;
    state.log_id = "log";
    state.applied_sequence = ++sequence_;
    const Status wanted = backends_[0]->Apply(effects, state);
    for (std::size_t i = 1; i < backends_.size(); ++i) {
      const Status found = backends_[i]->Apply(effects, state);
      SB_CHECK(found.has_value() == wanted.has_value(), "all accept a batch or none does");
      SB_CHECK(found || found.error().code == wanted.error().code, "all refuse it alike");
    }
  }

  void Compare() {
    const auto wanted = Content(*backends_[0]);
    for (std::size_t i = 1; i < backends_.size(); ++i) {
      SB_CHECK(backends_[i]->CheckAlone().has_value(), "nobody else was there");
      SB_CHECK(Content(*backends_[i]) == wanted, "the stores hold the same");
    }
  }

  template <class Call>
  void ForEach(const Call& call) {
    for (const auto& backend : backends_) SB_CHECK(call(*backend).has_value(), "it works on all");
  }

 private:
  static constexpr const char* kNames[] = {"main", "default", "Default", "sqlite_x"};

  // Everything a client can see: records by scan and by get, counts, names, the position.
  std::map<std::string, std::string> Content(Backend& backend) {
    std::map<std::string, std::string> content;
    auto view = backend.NewReadView();
    SB_CHECK(view.has_value() && (*view)->Begin().has_value(), "a snapshot opens");
    content["sequence"] = std::to_string((*view)->State()->applied_sequence);
    auto names = (*view)->CollectionNames();
    SB_CHECK(names.has_value(), "names can be listed");
    for (const std::string& name : *names) {
      const Collection& collection = **catalog_.Intern(name);
      std::vector<std::string> keys;
      const auto scanned = (*view)->Scan(collection, "", [&](auto key, auto value) {
        content["record " + name + " " + std::string(key)] = value;
        keys.emplace_back(key);
        return true;
      });
      SB_CHECK(scanned.has_value(), "a scan ends");
      content["count " + name] = std::to_string(*(*view)->Count(collection));
      for (const std::string& key : keys) {
        auto value = (*view)->Get(collection, key);
        SB_CHECK(value && *value && **value == content["record " + name + " " + key],
                 "get and scan agree");
      }
    }
    return content;
  }

  const std::string path_;
  const std::shared_ptr<MemoryStore> store_ = std::make_shared<MemoryStore>();
  CollectionCatalog catalog_;
  std::vector<std::unique_ptr<Backend>> backends_;
  std::uint64_t sequence_ = 0;
};

}  // namespace
}  // namespace switchback

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using switchback::Backend;
  constexpr int kStepCountMax = 24;
  switchback::SetLogLevel(switchback::LogLevel::kError);
  switchback::Input input(data, size);
  switchback::Trio trio;
  for (int step = 0; step < kStepCountMax && !input.is_empty(); ++step) {
    switch (input.Byte() % 16) {
      case 0: trio.Open(); break;
      case 1: trio.ForEach([](Backend& backend) { return backend.Reopen(); }); break;
      case 2: trio.ForEach([](Backend& backend) { return backend.MakeDurable(); }); break;
      case 3: trio.ForEach([](Backend& backend) { return backend.Reset(); }); break;
      case 4: trio.Compare(); break;
      default: trio.Apply(input); break;
    }
  }
  trio.Compare();
  return 0;
}
