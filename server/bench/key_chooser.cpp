#include "server/bench/key_chooser.hpp"

#include <array>

#include "common/check.hpp"
#include "server/bench/random.hpp"
#include "server/bench/zipfian.hpp"

namespace switchback::bench {
namespace {

// YCSB's ScrambledZipfianGenerator draws from ten thousand million ranks and hashes them down to
// the records; the sum over so many ranks is too slow to compute, so YCSB gives it as a constant.
constexpr std::uint64_t kScrambledRanks = 10'000'000'000ULL;
constexpr double kScrambledZeta = 26.46902820178302;

// YCSB's Utils.fnvhash64: FNV-1a over the eight bytes of a number.
constexpr std::uint64_t FnvHash64(std::uint64_t value) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (int octet = 0; octet < 8; ++octet, value >>= 8)
    hash = (hash ^ (value & 0xff)) * 1099511628211ULL;
  return hash;
}

class UniformChooser : public KeyChooser {
 public:
  explicit UniformChooser(std::uint64_t seed) : random_(seed) {}
  std::uint64_t Next(std::uint64_t record_count) override { return random_.Below(record_count); }

 private:
  Random random_;
};

class ScrambledZipfianChooser : public KeyChooser {
 public:
  explicit ScrambledZipfianChooser(std::uint64_t seed)
      : random_(seed), zipfian_(kScrambledRanks, kScrambledZeta) {}
  std::uint64_t Next(std::uint64_t record_count) override {
    return FnvHash64(zipfian_.Next(random_)) % record_count;
  }

 private:
  Random random_;
  Zipfian zipfian_;
};

class LatestChooser : public KeyChooser {
 public:
  LatestChooser(std::uint64_t record_count, std::uint64_t seed)
      : random_(seed), zipfian_(record_count) {}
  std::uint64_t Next(std::uint64_t record_count) override {
    zipfian_.GrowTo(record_count);
    return record_count - 1 - zipfian_.Next(random_);
  }

 private:
  Random random_;
  Zipfian zipfian_;
};

constexpr std::array<const char*, 3> kNames{"uniform", "zipfian", "latest"};

}  // namespace

const char* DistributionName(Distribution distribution) {
  return kNames[static_cast<std::size_t>(distribution)];
}

Result<Distribution> ParseDistribution(std::string_view text) {
  for (std::size_t index = 0; index < kNames.size(); ++index) {
    if (text == kNames[index]) return static_cast<Distribution>(index);
  }
  return Fail(ErrorCode::kInvalidArgument,
              "distribution is uniform, zipfian or latest, not '" + std::string(text) + "'");
}

std::unique_ptr<KeyChooser> NewKeyChooser(Distribution distribution, std::uint64_t record_count,
                                          std::uint64_t seed) {
  SB_CHECK(record_count > 0, "there must be a record to choose");
  switch (distribution) {
    case Distribution::kUniform: return std::make_unique<UniformChooser>(seed);
    case Distribution::kZipfian: return std::make_unique<ScrambledZipfianChooser>(seed);
    case Distribution::kLatest: return std::make_unique<LatestChooser>(record_count, seed);
  }
  SB_CHECK(false, "every distribution has its chooser");
  return nullptr;
}

}  // namespace switchback::bench
